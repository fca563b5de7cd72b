import { entrySize, type LogEntry, type LogIndex } from '@discovery-raft/raft-core';

/** Slots of dropped entries that may be kept before the rest is moved down. */
const MAX_FREE_SLOTS = 4096;

/** The newest entries of the log, as many as fit into a number of bytes ({@link entrySize}). */
export class TailCache {
  readonly #maxBytes: number;
  #entries: (LogEntry | undefined)[] = [];
  #free = 0;
  #firstIndex: LogIndex = 1;
  #bytes = 0;

  /** @param maxBytes 0 keeps nothing */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Index of the oldest entry here; what lies at or behind it, up to the end of the log, is all here. */
  get firstIndex(): LogIndex {
    return this.#firstIndex;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** An entry at or behind {@link firstIndex}; undefined when there is none. */
  get(index: LogIndex): LogEntry | undefined {
    return index < this.#firstIndex ? undefined : this.#entries[this.#free + index - this.#firstIndex];
  }

  append(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      this.#entries.push(entry);
      this.#bytes += entrySize(entry);
    }
    while (this.#bytes > this.#maxBytes) this.#dropFirst();
    if (this.#free > MAX_FREE_SLOTS && this.#free * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#free);
      this.#free = 0;
    }
  }

  /** Replaces an entry, if it is here. */
  replace(entry: LogEntry): void {
    const old = this.get(entry.index);
    if (old === undefined) return;
    this.#bytes += entrySize(entry) - entrySize(old);
    this.#entries[this.#free + entry.index - this.#firstIndex] = entry;
  }

  /** Forgets `from` and all behind it; the next entry is `from` then. */
  truncateSuffix(from: LogIndex): void {
    if (from <= this.#firstIndex) {
      this.reset(from);
      return;
    }
    while (this.#firstIndex + this.#entries.length - this.#free > from) this.#bytes -= entrySize(this.#entries.pop()!);
  }

  /** Forgets all before `firstIndex`. */
  truncatePrefix(firstIndex: LogIndex): void {
    while (this.#firstIndex < firstIndex && this.#free < this.#entries.length) this.#dropFirst();
    if (this.#free === this.#entries.length) this.reset(Math.max(firstIndex, this.#firstIndex));
  }

  /** Forgets all; the next entry is `nextIndex`. */
  reset(nextIndex: LogIndex): void {
    this.#entries = [];
    this.#free = 0;
    this.#bytes = 0;
    this.#firstIndex = nextIndex;
  }

  #dropFirst(): void {
    this.#bytes -= entrySize(this.#entries[this.#free]!);
    this.#entries[this.#free] = undefined;
    this.#free++;
    this.#firstIndex++;
  }
}
