import { join, resolve } from 'node:path';
import {
  silentLogger,
  type Logger,
  type LogStore,
  type SnapshotStore,
  type StableStore,
} from '@discovery-raft/raft-core';
import type { Database } from './database.js';
import { FileSnapshotStore, type SnapshotFiles } from './file-snapshot-store.js';
import { LmdbDatabase } from './lmdb-database.js';
import { LmdbLogStore } from './lmdb-log-store.js';
import { LmdbStableStore } from './lmdb-stable-store.js';
import { StoreError } from './store-error.js';
import { WriteGate } from './write-gate.js';

/** How a store is opened. */
export interface LmdbStoreOptions {
  /** Directory of the store, of this store alone, on a local disk; made when it is not there. */
  readonly path: string;
  /** Bytes that log, term and vote may take in the database; a write that does not fit fails as `full`. Default: no bound. */
  readonly maxBytes?: number;
  /** Bytes of the newest entries that are kept in memory; at least 0. Default 16 MiB. */
  readonly cacheBytes?: number;
  /** Finished snapshots that are kept; at least 1. Default 2. */
  readonly retainSnapshots?: number;
  /** Tombstones that may wait for their blocks to be rewritten, about 400 bytes of memory each; at least 0. Default 65,536. */
  readonly maxWaitingTombstones?: number;
  /** Default: silent. */
  readonly logger?: Logger;
}

/** What a store says of itself: plain numbers, bytes unless the name says otherwise; counters since it was opened. */
export interface LmdbStoreStats {
  /** Size of the database file. What is free in it is used again; an opening gives it back when it is more than half. */
  readonly fileBytes: number;
  /** Whole pages of it that hold something: the log, term and vote, and the tree above them. */
  readonly usedBytes: number;
  /** `fileBytes` - `usedBytes`. */
  readonly freeBytes: number;
  readonly snapshots: number;
  /** Bytes of state in them. */
  readonly snapshotBytes: number;
  readonly entries: number;
  readonly blocks: number;
  /** Tombstones that wait for their blocks to be rewritten, and the bytes of the records that hold them meanwhile. */
  readonly waitingTombstones: number;
  readonly waitingTombstoneBytes: number;
  readonly rewrittenBlocks: number;
  readonly rewrittenBytes: number;
  readonly cacheBytes: number;
  /** Durable commits; each syncs the file's pages, and then its root, which is a second, small sync. */
  readonly commits: number;
  /** Milliseconds from call to durable, of all commits together and of the slowest. */
  readonly commitMs: number;
  readonly slowestCommitMs: number;
  /** Bytes of keys and values that were committed. */
  readonly writtenBytes: number;
  /** Whether a write failed; then no further one is taken. */
  readonly poisoned: boolean;
}

/** For tests: what lies below a store. */
export interface StoreLayers {
  readonly wrapDatabase?: (database: Database) => Database;
  readonly files?: SnapshotFiles;
}

/** What a store is made of. */
interface StoreParts {
  readonly gate: WriteGate;
  readonly log: LmdbLogStore;
  readonly stable: LmdbStableStore;
  readonly snapshots: FileSnapshotStore;
}

/**
 * The durable stores of one Raft node: log, term and vote in an LMDB database, snapshots as files beside it.
 *
 * @example
 * const store = await LmdbStore.open({ path: '/var/lib/node-1/raft' });
 * const raft = await Raft.create({ ...ports, logStore: store.logStore, stableStore: store.stableStore, snapshotStore: store.snapshotStore });
 */
export class LmdbStore {
  readonly path: string;
  readonly logStore: LogStore;
  readonly stableStore: StableStore;
  readonly snapshotStore: SnapshotStore;
  readonly #parts: StoreParts;

  /** @internal Use {@link LmdbStore.open}. */
  constructor(parts: StoreParts) {
    this.#parts = parts;
    this.path = parts.gate.path;
    this.logStore = parts.log;
    this.stableStore = parts.stable;
    this.snapshotStore = parts.snapshots;
  }

  /**
   * Opens the store at a path, or makes one. Checks term and vote, that no block of the log is missing, the newest blocks,
   * and head and tail of each snapshot; {@link verify} checks the rest.
   *
   * @throws StoreError `locked`, `corrupt`, `full`, `io`, `misuse` (an option)
   */
  static open(options: LmdbStoreOptions): Promise<LmdbStore> {
    return openStore(options, {});
  }

  /** The failure that ended all writing; null while there was none. */
  get failure(): StoreError | null {
    return this.#parts.gate.failure;
  }

  /**
   * Reads all that is stored and checks it. Takes as long as that takes; reads and writes may go on meanwhile.
   *
   * @throws StoreError `corrupt` for the first thing that is damaged, `io`, `closed`
   */
  async verify(): Promise<void> {
    const { stable, log, snapshots } = this.#parts;
    stable.load();
    await log.verify();
    await snapshots.verify();
  }

  /** @throws StoreError `closed`, `io` */
  stats(): LmdbStoreStats {
    const { gate, log } = this.#parts;
    const { fileBytes, usedBytes } = gate.usage();
    const snapshots = this.#parts.snapshots.list();
    return {
      fileBytes,
      usedBytes,
      freeBytes: fileBytes - usedBytes,
      snapshots: snapshots.length,
      snapshotBytes: snapshots.reduce((sum, { size }) => sum + size, 0),
      ...log.stats(),
      ...gate.counters,
      poisoned: gate.failure !== null,
    };
  }

  /** Closes all three ports; idempotent. Waits for the write under way, and drops snapshots that are being written. The last port that is closed by itself does the same. */
  async close(): Promise<void> {
    await this.#parts.snapshots.dropUnfinished();
    await this.#parts.gate.close();
  }
}

/** {@link LmdbStore.open} with other layers below. */
export async function openStore(options: LmdbStoreOptions, layers: StoreLayers): Promise<LmdbStore> {
  const path = resolve(options.path);
  checkOptions(options, path);
  const lmdb = await LmdbDatabase.open(path, options.logger ?? silentLogger);
  try {
    return new LmdbStore(await assemble(layers.wrapDatabase?.(lmdb) ?? lmdb, { ...options, path }, layers.files));
  } catch (error) {
    await lmdb.close();
    throw error;
  }
}

async function assemble(database: Database, options: LmdbStoreOptions, files?: SnapshotFiles): Promise<StoreParts> {
  const { path, cacheBytes = 16 << 20, maxWaitingTombstones = 65_536, maxBytes = Infinity } = options;
  const gate = new WriteGate(database, path, maxBytes);
  const ports = new Set(['log', 'stable', 'snapshot']);
  const closing = (port: string) => async (): Promise<void> => {
    ports.delete(port);
    if (ports.size === 0) await gate.close();
  };
  const stable = new LmdbStableStore(gate, closing('stable'));
  stable.load();
  const log = await LmdbLogStore.open(gate, { cacheBytes, maxWaitingTombstones }, closing('log'));
  const snapshots = await FileSnapshotStore.open({
    path,
    directory: join(path, 'snapshots'),
    retain: options.retainSnapshots ?? 2,
    logger: options.logger ?? silentLogger,
    onClose: closing('snapshot'),
    ...(files === undefined ? {} : { files }),
  });
  return { gate, log, stable, snapshots };
}

function checkOptions(options: LmdbStoreOptions, path: string): void {
  const least = { maxBytes: 1 << 20, cacheBytes: 0, retainSnapshots: 1, maxWaitingTombstones: 0 } as const;
  for (const [name, minimum] of Object.entries(least)) {
    const value: unknown = Reflect.get(options, name);
    if (value === undefined || (typeof value === 'number' && value >= minimum)) continue;
    throw new StoreError(`${name} must be a number of at least ${minimum}`, { failure: 'misuse', path });
  }
}
