import { ProtoReader } from '../protobuf/proto-reader.js';

/** Field 2 of a `DiscoveryItem`, a string. */
const IDENTITY_TAG = (2 << 3) | 2;
const DOT = 0x2e;
const MAX_NAME_LENGTH = 255;

/** The sub-namespace of an identity: what stands between its first dot and its second; empty when there is none. */
export function subNamespaceOf(identity: string): string {
  const from = identity.indexOf('.') + 1;
  const to = identity.indexOf('.', from);
  return from === 0 || to === -1 ? '' : identity.slice(from, Math.min(to, from + MAX_NAME_LENGTH));
}

/**
 * The same of an encoded item's identity, read without making an item of it. An item that is none has an empty one: a quorum
 * signed it as it is, and whoever reads the listing judges it.
 */
export function subNamespaceOfItem(item: Uint8Array): string {
  let identity: Uint8Array | undefined;
  try {
    const reader = new ProtoReader(item);
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === IDENTITY_TAG) identity = reader.bytes();
      else reader.skip(tag);
    }
  } catch {
    return '';
  }
  if (identity === undefined) return '';
  const from = identity.indexOf(DOT) + 1;
  const to = identity.indexOf(DOT, from);
  return from === 0 || to === -1
    ? ''
    : String.fromCharCode(...identity.subarray(from, Math.min(to, from + MAX_NAME_LENGTH)));
}

/** Numbers sub-namespaces, from 0 in the order in which they come. */
export class SubNamespaces {
  readonly #numbers = new Map<string, number>();
  readonly #all: string[] = [];

  /** @param all what is numbered already, in its order */
  constructor(all: readonly string[] = []) {
    for (const name of all) this.numberOf(name);
  }

  /** All that have a number, in its order. */
  get all(): readonly string[] {
    return this.#all;
  }

  /** The number of a sub-namespace; a new one has the next. */
  numberOf(name: string): number {
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = this.#all.push(name) - 1;
      this.#numbers.set(name, number);
    }
    return number;
  }
}
