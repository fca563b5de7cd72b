import type { LogIndex } from '@discovery-raft/raft-core';

/** Where a record stands in the list. */
export interface RecordPlace {
  readonly identity: string;
  readonly expiration: number;
  readonly index: LogIndex;
}

/**
 * Orders identities by their UTF-8 bytes, which is the order of their code points. JavaScript's own order is that of
 * UTF-16 units, which differs where a surrogate meets a unit from U+E000 up.
 *
 * @returns below, equal to or above 0
 */
export function compareIdentities(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return x >= 0xd800 && y >= 0xd800 ? surrogatesLast(x) - surrogatesLast(y) : x - y;
  }
  return a.length - b.length;
}

function surrogatesLast(unit: number): number {
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

/** The order of the list: identity by its bytes, then expiration, then log index. Total, since an index is unique. */
export function compareRecords(a: RecordPlace, b: RecordPlace): number {
  return compareIdentities(a.identity, b.identity) || a.expiration - b.expiration || a.index - b.index;
}

/** A UTF-16 unit from which on the order of units may be another one than that of code points. */
const LATE_UNIT = /[\ud800-\uffff]/;

/**
 * The order of {@link compareIdentities} for a set of identities, at the price of JavaScript's own comparison for as long as
 * that gives the same: until an identity comes in that has a unit from U+D800 up. That changes nothing for those before it.
 */
export class IdentityOrder {
  #simple = true;

  /** To be told each identity before it is compared. */
  admit(identity: string): void {
    if (this.#simple && LATE_UNIT.test(identity)) this.#simple = false;
  }

  /** @returns below, equal to or above 0; both were admitted */
  readonly compare = (a: string, b: string): number => {
    if (!this.#simple) return compareIdentities(a, b);
    return a < b ? -1 : a === b ? 0 : 1;
  };
}
