import type { LogIndex } from '@discovery-raft/raft-core';
import type { ListRecord, StoredRecord } from '../record.js';
import { digestRecords } from './digest.js';
import type { RecordPlace } from './record-order.js';
import type { SortedTree } from './sorted-tree.js';

/** The list as it was right after one log entry. Immutable: later writes do not show in it. */
export interface ListView {
  /** Log index of the last entry that the view covers; 0 for the empty list. */
  readonly index: LogIndex;
  /** Live records. */
  readonly size: number;
  /** Their bytes, see {@link recordBytes}. */
  readonly liveBytes: number;
  /** The live records of an identity, the older packet first; O(log size). */
  get(identity: string): readonly ListRecord[];
  /** All live records: identities in the order of their UTF-8 bytes, then by expiration, then by log index. */
  entries(): Iterable<ListRecord>;
  /**
   * A digest of all records, 16 hex digits: equal views have equal ones. It finds replicas that differ by accident; it
   * is no protection against a forger. O(bytes) on the first call.
   */
  digest(): string;
}

/** The records of one identity in a tree. */
export function recordsOf(tree: SortedTree<RecordPlace, StoredRecord>, identity: string): StoredRecord[] {
  const found: StoredRecord[] = [];
  tree.forRange(
    { identity, expiration: 0, index: 0 },
    { identity, expiration: Infinity, index: Infinity },
    true,
    (_place, record) => {
      found.push(record);
    },
  );
  return found;
}

/** A view over a cloned tree, which nobody writes to. */
export class TreeView implements ListView {
  readonly index: LogIndex;
  readonly liveBytes: number;
  readonly #tree: SortedTree<RecordPlace, StoredRecord>;
  #digest: string | undefined;

  constructor(index: LogIndex, liveBytes: number, tree: SortedTree<RecordPlace, StoredRecord>) {
    this.index = index;
    this.liveBytes = liveBytes;
    this.#tree = tree;
  }

  get size(): number {
    return this.#tree.size;
  }

  get(identity: string): readonly StoredRecord[] {
    return recordsOf(this.#tree, identity);
  }

  entries(): Iterable<StoredRecord> {
    const tree = this.#tree;
    return { [Symbol.iterator]: () => tree.values() };
  }

  digest(): string {
    this.#digest ??= digestRecords(this.entries());
    return this.#digest;
  }
}
