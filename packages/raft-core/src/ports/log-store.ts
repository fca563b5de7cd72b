import type { LogEntry, LogIndex } from '../core/types.js';

/** A store may answer at once or later; in-memory stores answer at once, which spares a turn of the event loop. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * Where the log lives. Holds a consecutive run of entries, `firstIndex` to `lastIndex`.
 *
 * The caller makes one writing call at a time and waits for it. A call that resolves is durable; one that rejects has
 * left the store in an unknown state, and the caller makes no further writes. Reads may run beside a write.
 */
export interface LogStore {
  /** Index of the first entry; when empty, the index that the next entry must have (1 for a new store). */
  readonly firstIndex: LogIndex;
  /** Index of the last entry; `firstIndex` - 1 when empty. */
  readonly lastIndex: LogIndex;

  /**
   * Reads entries from `from` to at most `to`, both inclusive: at least one entry, further ones while their sizes
   * ({@link entrySize}) add up to at most `maxBytes`.
   *
   * @throws RaftError RAFT_STORE_FAILED when the range is not wholly inside the log; RAFT_STORE_CORRUPT
   */
  read(from: LogIndex, to: LogIndex, maxBytes: number): MaybePromise<readonly LogEntry[]>;

  /**
   * {@link read} for who wants to know what a log is made of, and not what commands say: these may come with empty data and
   * without extensions. Optional; a store on a disk is spared copying them.
   */
  readOutline?(from: LogIndex, to: LogIndex, maxBytes: number): MaybePromise<readonly LogEntry[]>;

  /**
   * {@link read} for who keeps no bytes of what it sees: an entry's `data` and `extensions` are good until the next entry is
   * asked for, or the walk ends, and may be overwritten then. Optional; a store on a disk is spared memory for each of them.
   *
   * @throws RaftError as {@link read}, while it is walked through
   */
  lend?(from: LogIndex, to: LogIndex, maxBytes: number): Iterable<LogEntry>;

  /** Appends consecutive entries, the first at `lastIndex` + 1. The store may keep the objects, which are immutable. */
  append(entries: readonly LogEntry[]): MaybePromise<void>;

  /** Deletes `from` and all after it. */
  truncateSuffix(from: LogIndex): MaybePromise<void>;

  /** Deletes everything up to and including `through`. */
  truncatePrefix(through: LogIndex): MaybePromise<void>;

  /** Deletes everything; the next entry has index `nextIndex`. */
  reset(nextIndex: LogIndex): MaybePromise<void>;

  /**
   * Replaces entries in place by their tombstones (same index and term). A tombstone whose index lies outside the log
   * is skipped: compaction got there first.
   */
  redact(tombstones: readonly LogEntry[]): MaybePromise<void>;

  /**
   * {@link append} and then {@link redact} as one write, which is what a state machine makes that redacts with each
   * command; a store on a disk syncs once for it. Tombstones may concern the entries of the call itself. A crash leaves
   * what those two would: no tombstone without all of the entries.
   */
  appendAndRedact(entries: readonly LogEntry[], tombstones: readonly LogEntry[]): MaybePromise<void>;

  close(): MaybePromise<void>;
}
