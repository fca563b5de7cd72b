import { TermRuns } from './term-runs.js';
import { entrySize, type LogEntry, type LogIndex, type Term } from './types.js';

/**
 * What the core knows of the log: every entry's term, the recent entries themselves, and how far the store has come.
 * Older entries stay in the store; the core asks for them by an effect.
 */
export class CoreLog {
  #terms: TermRuns;
  /** Recent entries; the first has index `#cacheFirst`. Slots before `#cacheHead` are free. */
  #cache: (LogEntry | undefined)[] = [];
  #cacheHead = 0;
  #cacheFirst: LogIndex;
  #cacheBytes = 0;
  readonly #cacheLimitBytes: number;
  #stableIndex: LogIndex;
  #epoch = 0;
  #lastSlice: { from: LogIndex; to: LogIndex; maxBytes: number; entries: readonly LogEntry[] } | null = null;

  /** @param terms of what the store holds; all of it counts as stored */
  constructor(terms: TermRuns, cacheLimitBytes: number) {
    this.#terms = terms;
    this.#stableIndex = terms.lastIndex;
    this.#cacheFirst = terms.lastIndex + 1;
    this.#cacheLimitBytes = cacheLimitBytes;
  }

  get firstIndex(): LogIndex {
    return this.#terms.base + 1;
  }

  get lastIndex(): LogIndex {
    return this.#terms.lastIndex;
  }

  get lastTerm(): Term {
    return this.#terms.lastTerm;
  }

  /** Up to here the store has confirmed what the log holds now. */
  get stableIndex(): LogIndex {
    return this.#stableIndex;
  }

  /** Grows when entries are taken away, so that a write that completes late is not taken for a newer one. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Bytes of entries held in memory. */
  get cacheBytes(): number {
    return this.#cacheBytes;
  }

  /** Term of an entry, or of the position just before the first; undefined when the log does not know it. */
  termAt(index: LogIndex): Term | undefined {
    return this.#terms.termAt(index);
  }

  /** Where to search on for the last entry equal to a leader's, given a follower's conflict (Raft paper, section 5.3). */
  firstIndexOfTermAt(index: LogIndex): LogIndex {
    return Math.max(this.#terms.runStart(index), this.firstIndex);
  }

  /** Last index at or below `index` with a term of at most `term`. */
  lastIndexWithTermAtMost(term: Term, index: LogIndex): LogIndex {
    return this.#terms.lastIndexWithTermAtMost(term, index);
  }

  /** Raft paper, section 5.4.1: whether a log that ends so is at least as up to date as this one. */
  isUpToDate(lastIndex: LogIndex, lastTerm: Term): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);
  }

  /** Adds consecutive entries at the end. */
  append(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      this.#terms.push(entry.term);
      this.#cache.push(entry);
      this.#cacheBytes += entrySize(entry);
    }
  }

  /** Takes `from` and all after it away. */
  truncateFrom(from: LogIndex): void {
    this.#epoch++;
    this.#lastSlice = null;
    this.#terms.truncateFrom(from);
    this.#stableIndex = Math.min(this.#stableIndex, from - 1);
    while (this.#cache.length > this.#cacheHead && this.#cache.at(-1)!.index >= from) {
      this.#cacheBytes -= entrySize(this.#cache.pop()!);
    }
    if (this.#cache.length === this.#cacheHead) this.#clearCache();
  }

  /** Forgets everything and goes on after a snapshot. */
  reset(index: LogIndex, term: Term): void {
    this.#epoch++;
    this.#terms = new TermRuns(index, term);
    this.#stableIndex = index;
    this.#clearCache();
  }

  /** Forgets entries up to `index`, which the store no longer needs either. */
  compactThrough(index: LogIndex): void {
    this.#terms.compactThrough(index);
    while (this.#cacheHead < this.#cache.length && this.#cacheFirst <= index) this.#dropOldest();
  }

  /** The store has confirmed a write made at `epoch` whose last entry was `lastIndex`. Returns whether that is news. */
  markStable(epoch: number, lastIndex: LogIndex): boolean {
    if (epoch !== this.#epoch || lastIndex <= this.#stableIndex) return false;
    this.#stableIndex = Math.min(lastIndex, this.lastIndex);
    return true;
  }

  /** Frees memory: entries at or below `index` that the store has, oldest first, down to the cache's limit. */
  trimCache(index: LogIndex): void {
    const last = Math.min(index, this.#stableIndex);
    while (
      this.#cacheBytes > this.#cacheLimitBytes &&
      this.#cacheFirst <= last &&
      this.#cacheHead < this.#cache.length
    ) {
      this.#dropOldest();
    }
  }

  /**
   * Entries from `from` to at most `to` while their sizes add up to at most `maxBytes` (the first always), at most
   * `maxEntries`; undefined when they are not all in memory. The same call gives the same array, so it is encoded once.
   */
  slice(from: LogIndex, to: LogIndex, maxBytes: number, maxEntries: number): readonly LogEntry[] | undefined {
    if (from < this.#cacheFirst) return undefined;
    const cached = this.#lastSlice;
    if (cached !== null && cached.from === from && cached.to === to && cached.maxBytes === maxBytes) {
      return cached.entries;
    }
    const begin = this.#cacheHead + (from - this.#cacheFirst);
    const end = Math.min(begin + (to - from + 1), begin + maxEntries, this.#cache.length);
    let bytes = 0;
    let stop = begin;
    for (; stop < end; stop++) {
      bytes += entrySize(this.#cache[stop]!);
      if (bytes > maxBytes && stop > begin) break;
    }
    const entries = this.#cache.slice(begin, stop) as LogEntry[];
    this.#lastSlice = { from, to, maxBytes, entries };
    return entries;
  }

  /** The entry at `index`, if it is in memory. */
  cached(index: LogIndex): LogEntry | undefined {
    if (index < this.#cacheFirst) return undefined;
    return this.#cache[this.#cacheHead + (index - this.#cacheFirst)];
  }

  /** Puts tombstones in the place of entries held in memory. */
  redact(tombstones: readonly LogEntry[]): void {
    this.#lastSlice = null;
    for (const tombstone of tombstones) {
      const old = this.cached(tombstone.index);
      if (old === undefined) continue;
      this.#cacheBytes += entrySize(tombstone) - entrySize(old);
      this.#cache[this.#cacheHead + (tombstone.index - this.#cacheFirst)] = tombstone;
    }
  }

  #dropOldest(): void {
    this.#cacheBytes -= entrySize(this.#cache[this.#cacheHead]!);
    this.#cache[this.#cacheHead] = undefined;
    this.#cacheHead++;
    this.#cacheFirst++;
    if (this.#cacheHead === this.#cache.length) this.#clearCache();
    else if (this.#cacheHead >= 4096 && this.#cacheHead * 2 >= this.#cache.length) {
      this.#cache = this.#cache.slice(this.#cacheHead);
      this.#cacheHead = 0;
    }
  }

  #clearCache(): void {
    this.#cache = [];
    this.#cacheHead = 0;
    this.#cacheFirst = this.lastIndex + 1;
    this.#cacheBytes = 0;
    this.#lastSlice = null;
  }
}
