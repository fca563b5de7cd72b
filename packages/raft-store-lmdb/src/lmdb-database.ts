import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Logger } from '@discovery-raft/raft-core';
import { open, type RootDatabase } from 'lmdb';
import { dropUnfinishedCopy, replaceByCopy, worthCopying } from './compact-copy.js';
import type { Change, Database, DatabaseUsage } from './database.js';
import { viewOf } from './entry-format.js';
import { HARD_STATE_KEY, OPENED_KEY, type KeyRange } from './keys.js';
import { codeOf, StoreError, storeErrorOf } from './store-error.js';

/** Name that LMDB gives to its file. */
const DATA_FILE = 'data.mdb';

const EIO = 5;
const MAX_PROBE_BYTES = 4 << 20;

/** What `getStats` gives, as far as it is used here; LMDB's `MDB_stat` and `MDB_envinfo`. */
interface TreeStats {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}
interface Stats {
  readonly pageSize: number;
  readonly lastPageNumber: number;
  readonly root: TreeStats;
  readonly free: TreeStats;
}

/**
 * LMDB, opened so that a resolved commit is on the disk: the pages are written and synced, then the root of the new tree is
 * written through a descriptor that syncs by itself (docs/adr/0012). `overlappingSync` must stay off for that.
 */
export class LmdbDatabase implements Database {
  readonly #path: string;
  readonly #db: RootDatabase<Uint8Array, Uint8Array>;

  private constructor(path: string, db: RootDatabase<Uint8Array, Uint8Array>) {
    this.#path = path;
    this.#db = db;
  }

  /** @throws StoreError `locked`, `corrupt`, `full`, `io` */
  static async open(path: string, logger: Logger): Promise<LmdbDatabase> {
    let db: RootDatabase<Uint8Array, Uint8Array> | null = null;
    try {
      const created = mkdirSync(path, { recursive: true });
      // LMDB names a lack of rights as it does a lock.
      accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
      checkLength(path, logger);
      db = await openAlone(path);
      dropUnfinishedCopy(path);
      let database = new LmdbDatabase(path, db);
      await database.commit([{ key: OPENED_KEY, value: Uint8Array.of(1) }]);
      if (worthCopying(database.usage()) && (await database.#shrink(logger))) {
        syncDirectory(path);
        await db.close();
        db = await openAlone(path);
        database = new LmdbDatabase(path, db);
      }
      const outermost = created === undefined ? path : dirname(created);
      for (let directory = path; ; directory = dirname(directory)) {
        syncDirectory(directory);
        if (directory === outermost || directory === dirname(directory)) break;
      }
      return database;
    } catch (error) {
      await db?.close();
      throw storeErrorOf('opening the store', error, { path, part: 'database', opening: true });
    }
  }

  read<T>(key: Uint8Array, use: (value: Uint8Array | undefined) => T): T {
    // `getBinary` would copy once more. What this gives is overwritten by the next one.
    const value = this.#db.getBinaryFast(asBuffer(key));
    return use(value === undefined ? undefined : new Uint8Array(value.buffer, value.byteOffset, value.length));
  }

  keys(range: KeyRange): Iterable<Uint8Array> {
    return this.#db.getKeys({ start: asBuffer(range.start), end: asBuffer(range.end) });
  }

  async commit(changes: readonly Change[]): Promise<void> {
    try {
      await this.#db.batch(() => {
        for (const { key, value } of changes) {
          if (value === null) void this.#db.remove(asBuffer(key));
          else void this.#db.put(asBuffer(key), value);
        }
      });
    } catch (error) {
      const cause = await causeOf(error);
      if (codeOf(cause) !== EIO) throw cause;
      const bytes = changes.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
      throw whyShort(join(this.#path, DATA_FILE), bytes) ?? cause;
    }
  }

  usage(): DatabaseUsage {
    const { pageSize, root, free } = this.#db.getStats() as Stats;
    const pagesOf = (tree: TreeStats): number => tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages;
    const { size } = statSync(join(this.#path, DATA_FILE));
    // Two pages hold the roots.
    return { fileBytes: size, usedBytes: Math.min(size, (2 + pagesOf(root) + pagesOf(free)) * pageSize) };
  }

  async close(): Promise<void> {
    await this.#db.close();
  }

  /** Whether a copy without free pages has taken the file's place. Without room for one, the file stays as it is. */
  async #shrink(logger: Logger): Promise<boolean> {
    const before = this.usage();
    try {
      await replaceByCopy(this.#path, DATA_FILE, (directory) => this.#db.backup(directory, true));
    } catch (error) {
      logger.warn('the database could not be copied to give its free pages back', { path: this.#path, error });
      return false;
    }
    logger.info('the free pages of the database were given back', { path: this.#path, ...before });
    return true;
  }
}

/** Opens LMDB, unless somebody else has it open. @throws StoreError `locked`; of LMDB */
async function openAlone(path: string): Promise<RootDatabase<Uint8Array, Uint8Array>> {
  const db = open<Uint8Array, Uint8Array>({
    path,
    noSubdir: false,
    encoding: 'binary',
    keyEncoding: 'binary',
    overlappingSync: false,
    eventTurnBatching: false,
    maxDbs: 1,
  });
  try {
    refuseOthers(path, db);
    return db;
  } catch (error) {
    await db.close();
    throw error;
  }
}

/** lmdb's keys of kind `binary` are Buffers. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * LMDB says "input/output error" when the system took less than it was given, which is how a full disk begins. Asks the
 * system again, behind the end of the file, where nothing is: it refuses with the true reason. Undefined when it does not.
 */
function whyShort(name: string, bytes: number): unknown {
  let file: number | null = null;
  try {
    file = openSync(name, 'r+');
    const { size } = fstatSync(file);
    const piece = new Uint8Array(64 << 10);
    const end = size + Math.min(bytes, MAX_PROBE_BYTES) + piece.length;
    try {
      for (let at = size; at < end;) at += writeSync(file, piece, 0, piece.length, at);
      return undefined;
    } finally {
      ftruncateSync(file, size);
    }
  } catch (error) {
    return error;
  } finally {
    if (file !== null) closeSync(file);
  }
}

/** lmdb rejects with an error that carries the promise of the true one. */
async function causeOf(error: unknown): Promise<unknown> {
  if (typeof error !== 'object' || error === null) return error;
  const commitError: unknown = Reflect.get(error, 'commitError');
  try {
    await commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}

/**
 * LMDB notes in its lock file which processes read, each under a lock of the operating system that dies with the process.
 * A read of our own makes us one of them; whoever else is there has the store open.
 */
function refuseOthers(path: string, db: RootDatabase<Uint8Array, Uint8Array>): void {
  db.getBinary(asBuffer(HARD_STATE_KEY));
  db.readerCheck();
  const readers = [...db.readerList().matchAll(/^\s*(\d+)\s+[0-9a-f]+\s+\S+\s*$/gm)].map((line) => Number(line[1]));
  const ours = readers.indexOf(process.pid);
  if (ours >= 0) readers.splice(ours, 1);
  const [other] = readers;
  if (other === undefined) return;
  const who = other === process.pid ? 'another store of this process' : `process ${other}`;
  throw new StoreError(`${path} is open in ${who}`, { failure: 'locked', path, pid: other });
}

/*
 * The head of LMDB's file (data format 2): a page's own head, then the magic, the version, and further on the page size and
 * the last page in use. A second head stands on the next page.
 */
const HEAD = { magicAt: 24, versionAt: 28, pageSizeAt: 48, lastPageAt: 144, endAt: 160 } as const;
const LMDB_MAGIC = 0xbeefc0de;
const LMDB_FORMAT = 2;

/**
 * LMDB reads through a memory map, and a read behind the end of a file that was cut short kills the process. Such a file is
 * made as long as its head says: what is missing then reads as zeros, which the checksums refuse.
 */
function checkLength(path: string, logger: Logger): void {
  let file: number;
  try {
    file = openSync(join(path, DATA_FILE), 'r+');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  try {
    const head = new Uint8Array(2 * 65_536);
    const view = viewOf(head);
    const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
    const read = readSync(file, head, 0, head.length, 0);
    // After the head: another process may have it open, and the file of one that writes is never shorter than its head said.
    const { size } = fstatSync(file);
    if (read === 0) return;
    const isHead = (at: number): boolean =>
      at + HEAD.endAt <= read && view.getUint32(at + HEAD.magicAt, littleEndian) === LMDB_MAGIC;
    const pageBytes = read < HEAD.endAt ? 0 : view.getUint32(HEAD.pageSizeAt, littleEndian);
    if (!isHead(0) || !isHead(pageBytes)) {
      const message = `${DATA_FILE} of ${size} bytes does not begin as a database`;
      throw new StoreError(message, { failure: 'corrupt', path, part: 'database' });
    }
    if (view.getUint32(HEAD.versionAt, littleEndian) !== LMDB_FORMAT) return;
    const pages = [0, pageBytes].map((at) => Number(view.getBigUint64(at + HEAD.lastPageAt, littleEndian)) + 1);
    const expectedBytes = Math.max(...pages) * pageBytes;
    if (!(expectedBytes > size) || !Number.isSafeInteger(expectedBytes)) return;
    logger.warn('the database is shorter than it says; what is missing reads as zeros', { path, size, expectedBytes });
    ftruncateSync(file, expectedBytes);
  } finally {
    closeSync(file);
  }
}

/** Makes new names in a directory durable. Windows cannot and need not. */
function syncDirectory(path: string): void {
  if (process.platform === 'win32') return;
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
