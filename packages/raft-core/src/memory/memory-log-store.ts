import { RaftError } from '../core/errors.js';
import { entrySize, type LogEntry, type LogIndex } from '../core/types.js';
import type { LogStore } from '../ports/log-store.js';

/** Entries in one piece of the log. */
const SEGMENT_ENTRIES = 1024;

/**
 * A log in memory; answers every call at once. What it holds dies with the process: for tests and for caches. It is kept in
 * pieces of a fixed length, so that a long log is never copied to make room, and compaction frees whole pieces.
 */
export class MemoryLogStore implements LogStore {
  /** Piece i holds the entries from `#base` + i × {@link SEGMENT_ENTRIES} on. */
  #segments: (LogEntry | undefined)[][] = [];
  /** Index that the first slot of the first piece stands for. */
  #base: LogIndex = 1;
  #firstIndex: LogIndex = 1;
  #lastIndex: LogIndex = 0;
  #bytes = 0;

  get firstIndex(): LogIndex {
    return this.#firstIndex;
  }

  get lastIndex(): LogIndex {
    return this.#lastIndex;
  }

  /** Bytes of all entries, by {@link entrySize}. */
  get sizeBytes(): number {
    return this.#bytes;
  }

  read(from: LogIndex, to: LogIndex, maxBytes: number): readonly LogEntry[] {
    if (from < this.#firstIndex || to > this.#lastIndex || from > to) throw outside(`${from} to ${to}`, this);
    const result: LogEntry[] = [];
    let bytes = 0;
    for (let index = from; index <= to; index++) {
      const entry = this.#at(index);
      bytes += entrySize(entry);
      if (bytes > maxBytes && result.length > 0) break;
      result.push(entry);
    }
    return result;
  }

  append(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (entry.index !== this.#lastIndex + 1) throw outside(`an append at ${entry.index}`, this);
      this.#lastIndex++;
      this.#bytes += entrySize(entry);
      if ((entry.index - this.#base) % SEGMENT_ENTRIES === 0) {
        this.#segments.push(new Array<LogEntry | undefined>(SEGMENT_ENTRIES));
      }
      this.#put(entry.index, entry);
    }
  }

  truncateSuffix(from: LogIndex): void {
    for (; this.#lastIndex >= Math.max(from, this.#firstIndex); this.#lastIndex--) {
      this.#bytes -= entrySize(this.#at(this.#lastIndex));
      this.#put(this.#lastIndex, undefined);
    }
    if (this.#lastIndex < this.#firstIndex) return this.#clear(this.#firstIndex);
    this.#segments.length = Math.floor((this.#lastIndex - this.#base) / SEGMENT_ENTRIES) + 1;
  }

  truncatePrefix(through: LogIndex): void {
    const end = Math.min(through, this.#lastIndex);
    for (; this.#firstIndex <= end; this.#firstIndex++) {
      this.#bytes -= entrySize(this.#at(this.#firstIndex));
      this.#put(this.#firstIndex, undefined);
    }
    if (this.#lastIndex < this.#firstIndex) return this.#clear(this.#firstIndex);
    const free = Math.floor((this.#firstIndex - this.#base) / SEGMENT_ENTRIES);
    this.#segments.splice(0, free);
    this.#base += free * SEGMENT_ENTRIES;
  }

  reset(nextIndex: LogIndex): void {
    this.#clear(nextIndex);
  }

  redact(tombstones: readonly LogEntry[]): void {
    for (const tombstone of tombstones) {
      const { index } = tombstone;
      if (index < this.#firstIndex || index > this.#lastIndex) continue;
      const old = this.#at(index);
      if (old.term !== tombstone.term) {
        throw new RaftError(
          'RAFT_STORE_FAILED',
          `the tombstone of entry ${old.index} has term ${tombstone.term}, the entry ${old.term}`,
        );
      }
      this.#bytes += entrySize(tombstone) - entrySize(old);
      this.#put(index, tombstone);
    }
  }

  appendAndRedact(entries: readonly LogEntry[], tombstones: readonly LogEntry[]): void {
    this.append(entries);
    this.redact(tombstones);
  }

  close(): void {}

  /** The entry at an index that the log holds. */
  #at(index: LogIndex): LogEntry {
    const offset = index - this.#base;
    return this.#segments[Math.floor(offset / SEGMENT_ENTRIES)]![offset % SEGMENT_ENTRIES]!;
  }

  #put(index: LogIndex, entry: LogEntry | undefined): void {
    const offset = index - this.#base;
    this.#segments[Math.floor(offset / SEGMENT_ENTRIES)]![offset % SEGMENT_ENTRIES] = entry;
  }

  #clear(nextIndex: LogIndex): void {
    this.#segments = [];
    this.#bytes = 0;
    this.#base = nextIndex;
    this.#firstIndex = nextIndex;
    this.#lastIndex = nextIndex - 1;
  }
}

function outside(what: string, store: LogStore): RaftError {
  return new RaftError('RAFT_STORE_FAILED', `${what} does not fit a log of ${store.firstIndex} to ${store.lastIndex}`);
}
