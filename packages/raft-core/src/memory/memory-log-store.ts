import { RaftError } from '../core/errors.js';
import { entrySize, type LogEntry, type LogIndex } from '../core/types.js';
import type { LogStore } from '../ports/log-store.js';

/** Slots of deleted entries that may be kept before the rest is moved down. */
const MAX_FREE_SLOTS = 4096;

/** A log in memory; answers every call at once. What it holds dies with the process: for tests and for caches. */
export class MemoryLogStore implements LogStore {
  #entries: (LogEntry | undefined)[] = [];
  /** Slots at the front that are free. */
  #free = 0;
  #firstIndex: LogIndex = 1;
  #bytes = 0;

  get firstIndex(): LogIndex {
    return this.#firstIndex;
  }

  get lastIndex(): LogIndex {
    return this.#firstIndex + this.#entries.length - this.#free - 1;
  }

  /** Bytes of all entries, by {@link entrySize}. */
  get sizeBytes(): number {
    return this.#bytes;
  }

  read(from: LogIndex, to: LogIndex, maxBytes: number): readonly LogEntry[] {
    if (from < this.#firstIndex || to > this.lastIndex || from > to) throw outside(`${from} to ${to}`, this);
    const result: LogEntry[] = [];
    let bytes = 0;
    for (let index = from; index <= to; index++) {
      const entry = this.#entries[this.#slot(index)]!;
      bytes += entrySize(entry);
      if (bytes > maxBytes && result.length > 0) break;
      result.push(entry);
    }
    return result;
  }

  append(entries: readonly LogEntry[]): void {
    let next = this.lastIndex + 1;
    for (const entry of entries) {
      if (entry.index !== next) throw outside(`an append at ${entry.index}`, this);
      next++;
      this.#entries.push(entry);
      this.#bytes += entrySize(entry);
    }
  }

  truncateSuffix(from: LogIndex): void {
    while (this.lastIndex >= Math.max(from, this.#firstIndex)) this.#bytes -= entrySize(this.#entries.pop()!);
  }

  truncatePrefix(through: LogIndex): void {
    const end = Math.min(through, this.lastIndex);
    for (; this.#firstIndex <= end; this.#firstIndex++) {
      this.#bytes -= entrySize(this.#entries[this.#free]!);
      this.#entries[this.#free] = undefined;
      this.#free++;
    }
    if (this.#free > MAX_FREE_SLOTS && this.#free * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#free);
      this.#free = 0;
    }
  }

  reset(nextIndex: LogIndex): void {
    this.#entries = [];
    this.#free = 0;
    this.#bytes = 0;
    this.#firstIndex = nextIndex;
  }

  redact(tombstones: readonly LogEntry[]): void {
    for (const tombstone of tombstones) {
      if (tombstone.index < this.#firstIndex || tombstone.index > this.lastIndex) continue;
      const slot = this.#slot(tombstone.index);
      const old = this.#entries[slot]!;
      if (old.term !== tombstone.term) {
        throw new RaftError(
          'RAFT_STORE_FAILED',
          `the tombstone of entry ${old.index} has term ${tombstone.term}, the entry ${old.term}`,
        );
      }
      this.#bytes += entrySize(tombstone) - entrySize(old);
      this.#entries[slot] = tombstone;
    }
  }

  close(): void {}

  #slot(index: LogIndex): number {
    return this.#free + index - this.#firstIndex;
  }
}

function outside(what: string, store: LogStore): RaftError {
  return new RaftError('RAFT_STORE_FAILED', `${what} does not fit a log of ${store.firstIndex} to ${store.lastIndex}`);
}
