import type { Change, Database, DatabaseUsage } from './database.js';
import { FormatError } from './entry-format.js';
import type { KeyRange } from './keys.js';
import { StoreError, storeErrorOf } from './store-error.js';

/** What the gate counted since the store was opened. */
export interface GateCounters {
  /** Commits that became durable. */
  commits: number;
  /** Milliseconds that they took, from the call until durable, added up. */
  commitMs: number;
  /** Milliseconds of the slowest. */
  slowestCommitMs: number;
  /** Bytes of keys and values that they wrote. */
  writtenBytes: number;
}

/** Bytes that a change costs beside its key and value: a part of a page, and the pages above it. */
const CHANGE_OVERHEAD_BYTES = 64;
const COMMIT_OVERHEAD_BYTES = 32 << 10;
/** More than the head of the log has. */
const SMALL_RECORD_BYTES = 64;

/**
 * The one way to the database. A write that fails leaves the disk in doubt: what the operating system kept of it nobody
 * knows, and a second attempt may seem to succeed without writing anything. So it shuts the gate for writes, for good.
 */
export class WriteGate {
  readonly path: string;
  readonly counters: GateCounters = { commits: 0, commitMs: 0, slowestCommitMs: 0, writtenBytes: 0 };
  readonly #database: Database;
  readonly #maxBytes: number;
  /** Not below what is in use, but for what was freed since it was last asked for. */
  #usedBytes: number;
  #failure: StoreError | null = null;
  #closing: Promise<void> | null = null;

  constructor(database: Database, path: string, maxBytes: number) {
    this.#database = database;
    this.path = path;
    this.#maxBytes = maxBytes;
    this.#usedBytes = database.usage().usedBytes;
  }

  /** The failure that ended all writing; null while there was none. */
  get failure(): StoreError | null {
    return this.#failure;
  }

  /** As {@link Database.read}. @throws StoreError `io`, `corrupt`, `closed`, and FormatErrors that `use` throws */
  read<T>(key: Uint8Array, use: (value: Uint8Array | undefined) => T): T {
    return this.#guarded(() => this.#database.read(key, use));
  }

  /** Visits the keys of a range, ascending. @throws StoreError `io`, `corrupt`, `closed`, and FormatErrors that `visit` throws */
  eachKey(range: KeyRange, visit: (key: Uint8Array) => void): void {
    this.#guarded(() => {
      for (const key of this.#database.keys(range)) visit(key);
    });
  }

  /** @throws StoreError `poisoned`, `closed` */
  checkWritable(): void {
    this.#checkOpen();
    if (this.#failure !== null) throw this.#poisoned(this.#failure);
  }

  /** Resolves when all changes are durable. @throws StoreError `full`, `io`, `poisoned`, `closed` */
  async commit(changes: readonly Change[]): Promise<void> {
    this.checkWritable();
    const beganMs = performance.now();
    const bytes = changes.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0);
    try {
      this.#checkRoom(changes, bytes);
      await this.#database.commit(changes);
    } catch (error) {
      this.#failure ??= storeErrorOf('a write', error, { path: this.path, part: 'database' });
      throw this.#failure;
    }
    const tookMs = performance.now() - beganMs;
    const { counters } = this;
    counters.commits++;
    counters.commitMs += tookMs;
    counters.slowestCommitMs = Math.max(counters.slowestCommitMs, tookMs);
    counters.writtenBytes += bytes;
  }

  usage(): DatabaseUsage {
    this.#checkOpen();
    return this.#database.usage();
  }

  /** Resolves when the database is closed, whoever closed it first. */
  close(): Promise<void> {
    return (this.#closing ??= this.#database.close());
  }

  #guarded<T>(read: () => T): T {
    this.#checkOpen();
    try {
      return read();
    } catch (error) {
      // Who asked knows what should have been there.
      if (error instanceof FormatError) throw error;
      throw storeErrorOf('a read of the database', error, { path: this.path, part: 'database' });
    }
  }

  #checkOpen(): void {
    if (this.#closing !== null) throw new StoreError('the store is closed', { failure: 'closed', path: this.path });
  }

  #checkRoom(changes: readonly Change[], bytes: number): void {
    if (!changes.some(({ value }) => value !== null)) return;
    // A compaction makes room: it must not fail for the want of it.
    if (takesAway(changes)) return;
    const neededBytes = bytes + changes.length * CHANGE_OVERHEAD_BYTES + COMMIT_OVERHEAD_BYTES;
    if (this.#usedBytes + neededBytes > this.#maxBytes) this.#usedBytes = this.#database.usage().usedBytes;
    if (this.#usedBytes + neededBytes > this.#maxBytes) {
      const message = `a write of ${bytes} bytes does not fit: ${this.#usedBytes} of ${this.#maxBytes} bytes are in use`;
      throw new StoreError(message, { failure: 'full', path: this.path, part: 'database' });
    }
    this.#usedBytes += neededBytes;
  }

  #poisoned(first: StoreError): StoreError {
    const message = `the store takes no more writes since one failed (${first.message})`;
    return new StoreError(message, { failure: 'poisoned', path: this.path, part: 'database' }, first);
  }
}

/** Whether changes take values away and write no more than a small record for it. */
function takesAway(changes: readonly Change[]): boolean {
  if (!changes.some(({ value }) => value === null)) return false;
  return changes.reduce((sum, { value }) => sum + (value?.length ?? 0), 0) <= SMALL_RECORD_BYTES;
}
