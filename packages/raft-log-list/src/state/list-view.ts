import type { LogIndex } from '@discovery-raft/raft-core';
import type { ListRecord, StoredRecord } from '../record.js';
import { digestRecords } from './digest.js';
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

/** The live records by identity; each array is in order, never empty and never written to. */
export type RecordTree = SortedTree<string, readonly StoredRecord[]>;

/** A view over a cloned tree, which nobody writes to. */
export class TreeView implements ListView {
  readonly index: LogIndex;
  readonly size: number;
  readonly liveBytes: number;
  readonly #tree: RecordTree;
  #digest: string | undefined;

  constructor(index: LogIndex, size: number, liveBytes: number, tree: RecordTree) {
    this.index = index;
    this.size = size;
    this.liveBytes = liveBytes;
    this.#tree = tree;
  }

  get(identity: string): readonly StoredRecord[] {
    return this.#tree.get(identity) ?? [];
  }

  entries(): Iterable<StoredRecord> {
    const tree = this.#tree;
    return {
      *[Symbol.iterator]() {
        for (const records of tree.values()) yield* records;
      },
    };
  }

  /** The records of each identity, in order. */
  identities(): Iterable<readonly StoredRecord[]> {
    const tree = this.#tree;
    return { [Symbol.iterator]: () => tree.values() };
  }

  digest(): string {
    this.#digest ??= digestRecords(this.entries());
    return this.#digest;
  }
}
