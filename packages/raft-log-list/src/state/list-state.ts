import type { LogIndex } from '@discovery-raft/raft-core';
import { recordBytes, type StoredRecord } from '../record.js';
import { TreeView, recordsOf } from './list-view.js';
import { compareRecords, type RecordPlace } from './record-order.js';
import { createTree, type SortedTree } from './sorted-tree.js';

/**
 * The live records, found by their place in the list, by log index and by origin. Only the tree is shared with views; the
 * two maps serve `apply` and belong to the present alone.
 */
export class ListState {
  readonly #tree: SortedTree<RecordPlace, StoredRecord> = createTree(compareRecords);
  readonly #byIndex = new Map<LogIndex, StoredRecord>();
  /** The live records of each chain of updates; but for a leader that does not keep to the rules, that is one. */
  readonly #byOrigin = new Map<LogIndex, StoredRecord[]>();
  #liveBytes = 0;

  get size(): number {
    return this.#byIndex.size;
  }

  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** The live record with this log index. */
  at(index: LogIndex): StoredRecord | undefined {
    return this.#byIndex.get(index);
  }

  /** The live records of a chain of updates, oldest first. */
  chain(origin: LogIndex): readonly StoredRecord[] {
    return this.#byOrigin.get(origin) ?? [];
  }

  get(identity: string): readonly StoredRecord[] {
    return recordsOf(this.#tree, identity);
  }

  entries(): Iterable<StoredRecord> {
    return this.#tree.values();
  }

  /** The record's index must be new. */
  insert(record: StoredRecord): void {
    this.#tree.set(record, record);
    this.#byIndex.set(record.index, record);
    const chain = this.#byOrigin.get(record.origin);
    if (chain === undefined) this.#byOrigin.set(record.origin, [record]);
    else chain.push(record);
    this.#liveBytes += recordBytes(record);
  }

  /** The record must be live. */
  delete(record: StoredRecord): void {
    this.#tree.delete(record);
    this.#byIndex.delete(record.index);
    const rest = this.chain(record.origin).filter((other) => other !== record);
    if (rest.length === 0) this.#byOrigin.delete(record.origin);
    else this.#byOrigin.set(record.origin, rest);
    this.#liveBytes -= recordBytes(record);
  }

  /** Freezes the list as it is, in constant time. */
  view(index: LogIndex): TreeView {
    return new TreeView(index, this.#liveBytes, this.#tree.clone());
  }
}
