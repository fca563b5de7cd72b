import * as nodeFiles from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { Change, Database } from '../src/database.js';
import type { SnapshotFiles } from '../src/file-snapshot-store.js';
import { entriesOf } from './fixtures/operations.js';
import { failureOf } from './support/failure.js';
import { openTemp, reopen } from './support/temp.js';

/** A database whose commits fail with an error of the operating system once it is told to. */
class FailingDatabase implements Database {
  readonly #database: Database;
  code: string | number | null = null;
  commits = 0;

  constructor(database: Database) {
    this.#database = database;
  }

  read<T>(key: Uint8Array, use: (value: Uint8Array | undefined) => T): T {
    return this.#database.read(key, use);
  }

  keys(range: Parameters<Database['keys']>[0]): Iterable<Uint8Array> {
    return this.#database.keys(range);
  }

  async commit(changes: readonly Change[]): Promise<void> {
    this.commits++;
    if (this.code !== null) throw Object.assign(new Error(`the disk said ${this.code}`), { code: this.code });
    await this.#database.commit(changes);
  }

  usage(): ReturnType<Database['usage']> {
    return this.#database.usage();
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}

const append = (from: number, count = 1, bytes = 100) =>
  entriesOf({ op: 'append', from, count, term: 1, bytes, salt: 0 });
const head = { version: 1, index: 3, term: 1, configuration: { servers: [] }, configurationIndex: 1 } as const;

test.each([
  ['ENOSPC', 'full'],
  [28, 'full'],
  [-30792, 'full'],
  ['EDQUOT', 'full'],
  [5, 'io'],
  ['EIO', 'io'],
  [-30796, 'corrupt'],
])('a write that fails with %s is told as %s, and is the last one', async (code, failure) => {
  let database!: FailingDatabase;
  const store = await openTemp({}, { wrapDatabase: (inner) => (database = new FailingDatabase(inner)) });
  await store.logStore.append(append(1, 3));
  database.code = code;
  const first = await failureOf(store.logStore.append(append(4)));
  expect(first).toMatchObject({ details: { failure, errno: code, path: store.path } });
  expect(store.failure).toBe(first);

  // The disk is well again, but nobody knows what became of the write.
  database.code = null;
  const { commits } = database;
  const writes = [
    () => store.logStore.append(append(4)),
    () => store.logStore.truncateSuffix(2),
    () => store.logStore.truncatePrefix(1),
    () => store.logStore.reset(10),
    () => store.logStore.redact([{ index: 3, term: 1, type: 16, data: new Uint8Array(32) }]),
    () => store.stableStore.save({ term: 2, votedFor: null }),
  ];
  for (const write of writes.slice(0, 1)) {
    expect(await failureOf(write)).toMatchObject({
      code: 'RAFT_STORE_FAILED',
      details: { failure: 'poisoned' },
      cause: first,
    });
  }
  expect(await store.logStore.read(1, 3, Infinity)).toEqual(append(1, 3));
  for (const write of writes) expect((await failureOf(write)).failure).toBe('poisoned');
  expect(database.commits).toBe(commits);
  expect(store.stats().poisoned).toBe(true);

  const again = await reopen(store);
  expect(await again.logStore.read(1, 3, Infinity)).toEqual(append(1, 3));
  expect(again.logStore.lastIndex).toBe(3);
});

test('a failed write of term and vote ends the log as well', async () => {
  let database!: FailingDatabase;
  const store = await openTemp({}, { wrapDatabase: (inner) => (database = new FailingDatabase(inner)) });
  database.code = 'EIO';
  expect((await failureOf(store.stableStore.save({ term: 1, votedFor: 'a' }))).failure).toBe('io');
  expect((await failureOf(store.logStore.append(append(1)))).failure).toBe('poisoned');
});

test('more than maxBytes is not taken; what compaction frees can be used again', async () => {
  const store = await openTemp({ maxBytes: 1 << 20, cacheBytes: 0 });
  const fill = async (): Promise<void> => {
    const { firstIndex, lastIndex } = store.logStore;
    if (lastIndex - firstIndex > 1500) await store.logStore.truncatePrefix(lastIndex - 500);
    await store.logStore.append(append(lastIndex + 1, 100, 256));
  };
  for (let i = 0; i < 100; i++) await fill();
  expect(store.stats().fileBytes).toBeLessThan(2 << 20);
  const full = await failureOf(async () => {
    for (;;) await store.logStore.append(append(store.logStore.lastIndex + 1, 100, 256));
  });
  expect(full).toMatchObject({ details: { failure: 'full' } });
  expect(store.stats().usedBytes).toBeLessThan(1 << 20);
});

test.each(['truncatePrefix', 'reset'] as const)(
  'a log that has come to maxBytes can be made shorter (%s)',
  async (call) => {
    const maxBytes = 1 << 20;
    const store = await openTemp({ maxBytes, cacheBytes: 0 });
    const { logStore } = store;
    // The next entry would need more than is left.
    while (store.stats().usedBytes < maxBytes - (33 << 10))
      await logStore.append(append(logStore.lastIndex + 1, 4, 1000));
    await logStore[call](logStore.lastIndex - 10);
    expect(store.stats().usedBytes).toBeLessThan(maxBytes / 10);
    const { lastIndex } = logStore;
    for (let i = 1; i <= 20; i++) await logStore.append(append(lastIndex + i, 1, 1000));
    expect(store.failure).toBeNull();
  },
);

test.each(['write', 'sync'] as const)(
  'a snapshot whose %s fails is dropped, and does no harm to the log',
  async (call) => {
    const store = await openTemp({}, { files: failingFiles(call) });
    const sink = await store.snapshotStore.create(head);
    const error = await failureOf(async () => {
      for (let i = 0; i < 3; i++) await sink.write(new Uint8Array(65_536));
      await sink.close();
    });
    expect(error).toMatchObject({ details: { failure: 'full', part: 'snapshot', errno: 'ENOSPC' } });
    expect(await failureOf(sink.write(new Uint8Array(1)))).toMatchObject({ code: 'RAFT_STORE_FAILED' });
    await sink.cancel();
    expect(await store.snapshotStore.list()).toEqual([]);
    expect(await nodeFiles.readdir(`${store.path}/snapshots`)).toEqual([]);
    await store.logStore.append(append(1));
    expect(store.failure).toBeNull();
  },
);

test.each(['rename', 'syncDirectory'] as const)(
  'a snapshot that cannot be put in its place (%s) is not there',
  async (call) => {
    const refuse = (): never => {
      throw Object.assign(new Error('the disk is gone'), { code: 'EIO' });
    };
    let directory = '';
    const files: SnapshotFiles = {
      ...nodeFiles,
      rename: (from, to) => (call === 'rename' ? refuse() : nodeFiles.rename(from, to)),
      open: async (...args: Parameters<typeof nodeFiles.open>) => {
        const file = await nodeFiles.open(...args);
        return call === 'syncDirectory' && args[0] === directory ? Object.assign(file, { sync: refuse }) : file;
      },
    };
    const store = await openTemp({}, { files });
    directory = `${store.path}/snapshots`;
    const sink = await store.snapshotStore.create(head);
    await sink.write(new Uint8Array(10));
    expect(await failureOf(sink.close())).toMatchObject({ details: { failure: 'io', part: 'snapshot', errno: 'EIO' } });
    expect(await store.snapshotStore.list()).toEqual([]);
    expect(await nodeFiles.readdir(directory)).toEqual([]);
    expect((await failureOf(sink.write(new Uint8Array(1)))).failure).toBe('closed');
    await store.logStore.append(append(1));
  },
);

test('who closes a store that is being closed waits until it is', async () => {
  let isClosed = false;
  const store = await openTemp(
    {},
    {
      wrapDatabase: (inner) =>
        Object.assign(new FailingDatabase(inner), {
          close: async () => {
            await new Promise((resolve) => setImmediate(resolve));
            await inner.close();
            isClosed = true;
          },
        }),
    },
  );
  const first = store.close();
  await store.close();
  expect(isClosed).toBe(true);
  await first;
});

/** Runs as somebody who is not allowed everything: for root, modes do not count. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  const isRoot = process.geteuid!() === 0;
  if (isRoot) process.seteuid!(65_534);
  try {
    return await work();
  } finally {
    if (isRoot) process.seteuid!(0);
  }
}

test.each(['', 'data.mdb'])('a lack of rights at "%s" is told as such, and not as a lock', async (name) => {
  const store = await openTemp();
  await store.close();
  await nodeFiles.chmod(store.path, 0o755);
  await nodeFiles.chmod(`${store.path}/${name}`, 0o500);
  const failure = await asNobody(() => failureOf(openTemp({ path: store.path })));
  expect(failure).toMatchObject({ failure: 'io', details: { errno: 'EACCES' } });
});

/** Files in which one call fails: the third write, or the sync. */
function failingFiles(call: 'write' | 'sync'): SnapshotFiles {
  const open = async (...args: Parameters<typeof nodeFiles.open>): Promise<FileHandle> => {
    const file = await nodeFiles.open(...args);
    if (!String(args[0]).endsWith('.partial')) return file;
    const [write, sync] = [file.write.bind(file) as (...a: unknown[]) => unknown, file.sync.bind(file)];
    const refuse = (): never => {
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    };
    let writes = 0;
    return Object.assign(file, {
      write: (...a: unknown[]) => (call === 'write' && ++writes === 3 ? refuse() : write(...a)),
      sync: () => (call === 'sync' ? refuse() : sync()),
    });
  };
  return { ...nodeFiles, open };
}
