import type { LogIndex } from '@discovery-raft/raft-core';
import type { ListRecord, StoredRecord } from '../record.js';
import { digestState } from './digest.js';
import { unpackHash, type PackedSha256 } from './hashing.js';
import { RecordCursor } from './record-cursor.js';
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
  /** The hash chain over all entries of the list up to `index`, 32 bytes; the same on every replica of one log. */
  readonly chain: Uint8Array;
  /**
   * SHA-256 of `index`, `chain` and all records, 32 bytes: equal on replicas that hold the same list by the same log, and
   * on no others, whatever an attacker writes into the log. O(records) on the first call: about 0.2 ms per 1,000. A
   * replica that has passed over tombstones whose successors it has not applied (`Raft.incompleteUntil`) lacks records, and
   * has another digest until then.
   */
  digest(): Uint8Array;
}

/** The live records by identity; each array is in order, never empty and never written to. */
export type RecordTree = SortedTree<string, readonly StoredRecord[]>;

/** Where in the log a view was taken. */
export interface ViewPlace {
  readonly index: LogIndex;
  /** Value of the `EntryChain`. */
  readonly chain: string;
}

/** A view over a cloned tree, which nobody writes to. */
export class TreeView implements ListView {
  readonly index: LogIndex;
  readonly size: number;
  readonly liveBytes: number;
  readonly #tree: RecordTree;
  readonly #chain: string;
  readonly #sha256: PackedSha256;
  #digest: Uint8Array | undefined;

  constructor({ index, chain }: ViewPlace, size: number, liveBytes: number, tree: RecordTree, sha256: PackedSha256) {
    this.index = index;
    this.size = size;
    this.liveBytes = liveBytes;
    this.#tree = tree;
    this.#chain = chain;
    this.#sha256 = sha256;
  }

  get chain(): Uint8Array {
    return unpackHash(this.#chain);
  }

  get(identity: string): readonly StoredRecord[] {
    return this.#tree.get(identity) ?? [];
  }

  entries(): Iterable<StoredRecord> {
    const tree = this.#tree;
    return { [Symbol.iterator]: () => new RecordCursor(tree) };
  }

  /** The records of each identity, in order. */
  identities(): Iterable<readonly StoredRecord[]> {
    const tree = this.#tree;
    return { [Symbol.iterator]: () => tree.values() };
  }

  digest(): Uint8Array {
    this.#digest ??= digestState(this.entries(), this.index, this.#chain, this.#sha256);
    return this.#digest;
  }
}
