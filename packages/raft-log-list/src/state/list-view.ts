import type { LogIndex } from '@discovery-raft/raft-core';
import type { ListRecord } from '../record.js';
import { digestSteps } from './digest.js';
import type { FrozenArray } from './freezable-array.js';
import { unpackHash, type PackedSha256 } from './hashing.js';
import type { LiveRecord } from './live-record.js';
import { OrderedRecords } from './record-cursor.js';
import type { FrozenRows } from './record-rows.js';
import type { FrozenOrder } from './slot-order.js';

/** The list as it was right after one log entry. Immutable: later writes do not show in it. */
export interface ListView {
  /** Log index of the last entry that the view covers; 0 for the empty list. */
  readonly index: LogIndex;
  /** Live records. */
  readonly size: number;
  /** Their bytes, see {@link recordBytes}. */
  readonly liveBytes: number;
  /**
   * The live records of an identity, the older packet first; O(log size), but O(size) the first time, if identities came or
   * went since the last view that was looked into.
   */
  get(identity: string): readonly ListRecord[];
  /** All live records: identities in the order of their UTF-8 bytes, then by expiration, then by log index. */
  entries(): Iterable<ListRecord>;
  /** The hash chain over all entries of the list up to `index`, 32 bytes; the same on every replica of one log. */
  readonly chain: Uint8Array;
  /**
   * SHA-256 of `index`, `chain` and all records, 32 bytes: equal on replicas that hold the same list by the same log, and
   * on no others, whatever an attacker writes into the log. O(records) on the first call: about 0.05 ms per 1,000. A
   * replica that has passed over tombstones whose successors it has not applied (`Raft.incompleteUntil`) lacks records, and
   * has another digest until then.
   */
  digest(): Uint8Array;
  /**
   * The same in steps: each `yield` is a place where the work may be left for as long as one likes.
   *
   * @param recordsPerStep from 1: how many are looked at between two such places
   */
  digestSteps(recordsPerStep: number): Generator<undefined, Uint8Array, undefined>;
}

/** The records of a slot: one, or several in an array in list order. Neither is ever written to. */
export type Held = LiveRecord | readonly LiveRecord[];

/** In place of the row of a slot's record: it has not just one. */
export const SEVERAL = -1;

/** All records of a slot. */
export function recordsOf(held: Held | undefined): readonly LiveRecord[] {
  if (held === undefined) return [];
  return isSeveral(held) ? held : [held];
}

function isSeveral(held: Held): held is readonly LiveRecord[] {
  return Array.isArray(held);
}

/** Where in the log a view was taken. */
export interface ViewPlace {
  readonly index: LogIndex;
  /** Value of the `EntryChain`. */
  readonly chain: string;
}

/** What a view is made of: the parts of a `ListState`, frozen at one moment. */
export interface FrozenState {
  readonly size: number;
  readonly liveBytes: number;
  readonly order: FrozenOrder;
  readonly held: FrozenArray<Held | undefined>;
  /** By slot: the row of its record, or {@link SEVERAL}. */
  readonly rowOf: FrozenArray<number>;
  readonly rows: FrozenRows;
}

/** A view of a frozen state. */
export class StateView implements ListView {
  readonly index: LogIndex;
  readonly size: number;
  readonly liveBytes: number;
  readonly #state: FrozenState;
  readonly #records: OrderedRecords;
  readonly #chain: string;
  readonly #sha256: PackedSha256;
  #digest: Uint8Array | undefined;

  constructor({ index, chain }: ViewPlace, state: FrozenState, sha256: PackedSha256) {
    this.index = index;
    this.size = state.size;
    this.liveBytes = state.liveBytes;
    this.#state = state;
    this.#records = new OrderedRecords(state);
    this.#chain = chain;
    this.#sha256 = sha256;
  }

  get chain(): Uint8Array {
    return unpackHash(this.#chain);
  }

  get(identity: string): readonly LiveRecord[] {
    const { order, held } = this.#state;
    const slot = order.slotOf(identity);
    return slot === undefined ? [] : recordsOf(held.get(slot));
  }

  entries(): Iterable<LiveRecord> {
    return this.#records;
  }

  digest(): Uint8Array {
    const steps = this.digestSteps(Infinity);
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
    }
  }

  *digestSteps(recordsPerStep: number): Generator<undefined, Uint8Array, undefined> {
    if (this.#digest === undefined) {
      const { index } = this;
      this.#digest = yield* digestSteps(this.#state, { index, chain: this.#chain }, this.#sha256, recordsPerStep);
    }
    return this.#digest;
  }
}
