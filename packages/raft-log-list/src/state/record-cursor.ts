import type { StoredRecord } from '../record.js';
import type { RecordTree } from './list-view.js';

/** Identities that are fetched from the tree at once. */
const CHUNK_IDENTITIES = 512;

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };
/** Ends a walk of the tree. */
const STOP = { break: 0 };

/**
 * Walks the records of a tree that nobody writes to, in order, a chunk at a time. Several times as fast as the tree's own
 * iterator, which costs a generator's turn for each entry. Each may be left at any point, for as long as one likes.
 */
export class RecordCursor implements IterableIterator<StoredRecord> {
  readonly #tree: RecordTree;
  #chunk: StoredRecord[] = [];
  #at = 0;
  /** Key of the last identity of the chunk; undefined before the first. */
  #last: string | undefined;
  #ended = false;

  constructor(tree: RecordTree) {
    this.#tree = tree;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<StoredRecord, undefined> {
    if (this.#at === this.#chunk.length) this.#fetch();
    const value = this.#chunk[this.#at];
    if (value === undefined) return DONE;
    this.#at++;
    return { done: false, value };
  }

  #fetch(): void {
    this.#chunk = [];
    this.#at = 0;
    const from = this.#last ?? this.#tree.minKey();
    const to = this.#tree.maxKey();
    if (this.#ended || from === undefined || to === undefined) return;
    let identities = 0;
    const take = (identity: string, records: readonly StoredRecord[]): typeof STOP | undefined => {
      if (identity === this.#last) return undefined;
      for (const record of records) this.#chunk.push(record);
      identities++;
      if (identities < CHUNK_IDENTITIES) return undefined;
      this.#last = identity;
      return STOP;
    };
    this.#tree.forRange(from, to, true, take);
    this.#ended = identities < CHUNK_IDENTITIES;
  }
}
