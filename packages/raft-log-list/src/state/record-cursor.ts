import type { FrozenArray } from './freezable-array.js';
import { isSeveral, type Held, type IdentityTree } from './list-view.js';
import type { LiveRecord } from './live-record.js';

/** Identities that are fetched from the tree at once. */
const CHUNK_IDENTITIES = 512;

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };
/** Ends a walk of the tree. */
const STOP = { break: 0 };

/**
 * Walks the records of a tree that nobody writes to, in order, a chunk at a time. Several times as fast as the tree's own
 * iterator, which costs a generator's turn for each entry. Each may be left at any point, for as long as one likes.
 */
export class RecordCursor implements IterableIterator<LiveRecord> {
  readonly #tree: IdentityTree;
  readonly #held: FrozenArray<Held | undefined>;
  #chunk: LiveRecord[] = [];
  #at = 0;
  /** Key of the last identity of the chunk; undefined before the first. */
  #last: string | undefined;
  #ended = false;

  constructor(tree: IdentityTree, held: FrozenArray<Held | undefined>) {
    this.#tree = tree;
    this.#held = held;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<LiveRecord, undefined> {
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
    const take = (identity: string, slot: number): typeof STOP | undefined => {
      if (identity === this.#last) return undefined;
      const held = this.#held.get(slot)!;
      if (isSeveral(held)) this.#chunk.push(...held);
      else this.#chunk.push(held);
      identities++;
      if (identities < CHUNK_IDENTITIES) return undefined;
      this.#last = identity;
      return STOP;
    };
    this.#tree.forRange(from, to, true, take);
    this.#ended = identities < CHUNK_IDENTITIES;
  }
}
