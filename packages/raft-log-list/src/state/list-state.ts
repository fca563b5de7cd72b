import type { LogIndex } from '@discovery-raft/raft-core';
import { recordBytes, type StoredRecord } from '../record.js';
import type { PackedSha256 } from './hashing.js';
import { TreeView, type RecordTree, type ViewPlace } from './list-view.js';
import { compareRecords, IdentityOrder } from './record-order.js';
import { createTree } from './sorted-tree.js';

/**
 * The live records, found by identity, by log index and by origin. Only the tree is shared with views; the maps belong to
 * the present alone, and spare it the way down the tree.
 *
 * An honest leader keeps few records of an identity and one of a chain; the arrays here are cheap for that, and merely
 * slow for any other.
 */
export class ListState {
  readonly #order = new IdentityOrder();
  readonly #tree: RecordTree = createTree(this.#order.compare);
  readonly #byIdentity = new Map<string, readonly StoredRecord[]>();
  readonly #byIndex = new Map<LogIndex, StoredRecord>();
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

  /** The live records of an identity, in list order. */
  get(identity: string): readonly StoredRecord[] {
    return this.#byIdentity.get(identity) ?? [];
  }

  /** Takes `replaced` out, all of them live and of the record's identity, and puts `record` in, whose index is new. */
  replace(replaced: readonly StoredRecord[], record: StoredRecord): void {
    for (const old of replaced) this.#forget(old);
    this.#hold(record.identity, withRecord(this.get(record.identity), replaced, record));
    this.#byIndex.set(record.index, record);
    const chain = this.#byOrigin.get(record.origin);
    if (chain === undefined) this.#byOrigin.set(record.origin, [record]);
    else chain.push(record);
    this.#liveBytes += recordBytes(record);
  }

  /** Takes a live record out. */
  delete(record: StoredRecord): void {
    this.#forget(record);
    const rest = this.get(record.identity).filter((other) => other !== record);
    if (rest.length > 0) return this.#hold(record.identity, rest);
    this.#byIdentity.delete(record.identity);
    this.#tree.delete(record.identity);
  }

  /** Freezes the list as it is, in constant time. */
  view(place: ViewPlace, sha256: PackedSha256): TreeView {
    return new TreeView(place, this.size, this.#liveBytes, this.#tree.clone(), sha256);
  }

  #hold(identity: string, records: readonly StoredRecord[]): void {
    this.#order.admit(identity);
    this.#byIdentity.set(identity, records);
    this.#tree.set(identity, records);
  }

  /** Removes from the indexes by number. */
  #forget(record: StoredRecord): void {
    this.#byIndex.delete(record.index);
    const rest = this.chain(record.origin).filter((other) => other !== record);
    if (rest.length === 0) this.#byOrigin.delete(record.origin);
    else this.#byOrigin.set(record.origin, rest);
    this.#liveBytes -= recordBytes(record);
  }
}

/** The records of an identity after `replaced` has left and `record` has come, in list order. */
function withRecord(
  before: readonly StoredRecord[],
  replaced: readonly StoredRecord[],
  record: StoredRecord,
): readonly StoredRecord[] {
  if (before.length === replaced.length) return [record];
  const kept = before.filter((other) => !replaced.includes(other));
  const at = kept.findIndex((other) => compareRecords(record, other) < 0);
  kept.splice(at < 0 ? kept.length : at, 0, record);
  return kept;
}
