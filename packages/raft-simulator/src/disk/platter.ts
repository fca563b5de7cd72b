import type { HardState, LogEntry, LogIndex, SnapshotMeta, Term } from '@discovery-raft/raft-core';

/** A snapshot that is complete on the disk. */
export interface StoredSnapshot {
  readonly meta: SnapshotMeta;
  readonly bytes: Uint8Array;
}

/** Something that has become durable. */
export type DiskWrite =
  | { readonly kind: 'hardState'; readonly before: HardState | null; readonly state: HardState }
  /** `prevTerm` is the term of the entry before the first one; undefined when it is compacted. */
  | { readonly kind: 'append'; readonly entries: readonly LogEntry[]; readonly prevTerm: Term | undefined }
  | { readonly kind: 'truncate'; readonly from: LogIndex; readonly removed: readonly LogEntry[] }
  | { readonly kind: 'compact'; readonly through: LogIndex }
  | { readonly kind: 'reset'; readonly nextIndex: LogIndex; readonly removed: readonly LogEntry[] }
  | { readonly kind: 'redact'; readonly tombstones: readonly LogEntry[]; readonly originals: readonly LogEntry[] }
  | { readonly kind: 'snapshot'; readonly meta: SnapshotMeta };

/** Snapshots that a disk keeps. */
const KEPT_SNAPSHOTS = 2;

/** What a server's disk holds for certain: what is left of it after a crash. */
export class Platter {
  hardState: HardState | null = null;
  firstIndex: LogIndex = 1;
  entries: LogEntry[] = [];
  /** Newest first. */
  snapshots: StoredSnapshot[] = [];
  readonly #written: (write: DiskWrite) => void;

  constructor(written: (write: DiskWrite) => void) {
    this.#written = written;
  }

  get lastIndex(): LogIndex {
    return this.firstIndex + this.entries.length - 1;
  }

  entryAt(index: LogIndex): LogEntry | undefined {
    return this.entries[index - this.firstIndex];
  }

  termAt(index: LogIndex): Term | undefined {
    return index === 0 ? 0 : this.entryAt(index)?.term;
  }

  save(state: HardState): void {
    const before = this.hardState;
    this.hardState = { ...state };
    this.#written({ kind: 'hardState', before, state: this.hardState });
  }

  append(entries: readonly LogEntry[]): void {
    if (entries.length === 0) return;
    const prevTerm = this.termAt(this.lastIndex);
    this.entries.push(...entries);
    this.#written({ kind: 'append', entries, prevTerm });
  }

  truncate(from: LogIndex): void {
    const removed = this.entries.splice(Math.max(0, from - this.firstIndex));
    this.#written({ kind: 'truncate', from, removed });
  }

  compact(through: LogIndex): void {
    const count = Math.min(through, this.lastIndex) - this.firstIndex + 1;
    if (count <= 0) return;
    this.entries.splice(0, count);
    this.firstIndex += count;
    this.#written({ kind: 'compact', through });
  }

  reset(nextIndex: LogIndex): void {
    const removed = this.entries;
    this.entries = [];
    this.firstIndex = nextIndex;
    this.#written({ kind: 'reset', nextIndex, removed });
  }

  redact(tombstones: readonly LogEntry[]): void {
    const inside = tombstones.filter(({ index }) => this.entryAt(index) !== undefined);
    const originals = inside.map(({ index }) => this.entryAt(index)!);
    for (const tombstone of inside) this.entries[tombstone.index - this.firstIndex] = tombstone;
    this.#written({ kind: 'redact', tombstones: inside, originals });
  }

  addSnapshot(snapshot: StoredSnapshot): void {
    // The one that was closed last comes first among equals.
    this.snapshots.unshift(snapshot);
    this.snapshots.sort(({ meta: a }, { meta: b }) => b.index - a.index || b.term - a.term);
    this.snapshots.splice(KEPT_SNAPSHOTS);
    this.#written({ kind: 'snapshot', meta: snapshot.meta });
  }
}
