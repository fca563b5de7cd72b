import { recordsOf, SEVERAL, type FrozenState } from './list-view.js';
import type { LiveRecord } from './live-record.js';

/** Identities whose records are gathered at once. */
const CHUNK_IDENTITIES = 2048;

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/**
 * The records of a view in order: gathered once, a chunk at a time, for all who walk over them, since a walk over an array is
 * many times as fast as one over slots. Takes a pointer a record.
 */
export class OrderedRecords implements Iterable<LiveRecord> {
  readonly #state: FrozenState;
  readonly #records: LiveRecord[] = [];
  /** Identities that were gathered. */
  #identities = 0;

  constructor(state: FrozenState) {
    this.#state = state;
  }

  /** The record at a place in the order; undefined behind the last. */
  at(place: number): LiveRecord | undefined {
    if (place >= this.#records.length) this.#gather();
    return this.#records[place];
  }

  [Symbol.iterator](): IterableIterator<LiveRecord> {
    return new RecordCursor(this);
  }

  #gather(): void {
    const { order, held, rowOf } = this.#state;
    const { slots } = order.sorted;
    const end = Math.min(slots.length, this.#identities + CHUNK_IDENTITIES);
    for (; this.#identities < end; this.#identities++) {
      const slot = slots[this.#identities]!;
      const record = held.get(slot);
      if (rowOf.get(slot) !== SEVERAL) this.#records.push(record as LiveRecord);
      // One after the other: as arguments of one call, a hundred thousand of one identity would be too many.
      else for (const each of recordsOf(record)) this.#records.push(each);
    }
  }
}

/** Walks over records in order. It may be left at any point, for as long as one likes. */
class RecordCursor implements IterableIterator<LiveRecord> {
  readonly #records: OrderedRecords;
  #at = 0;

  constructor(records: OrderedRecords) {
    this.#records = records;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<LiveRecord, undefined> {
    const value = this.#records.at(this.#at);
    if (value === undefined) return DONE;
    this.#at++;
    return { done: false, value };
  }
}
