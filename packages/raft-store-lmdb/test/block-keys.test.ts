import { crc32 } from 'node:zlib';
import { EntryType, silentLogger, type LogEntry } from '@discovery-raft/raft-core';
import type { LmdbStore } from '../src/index.js';
import type { Change, Database } from '../src/database.js';
import { FormatError } from '../src/entry-format.js';
import { BLOCK_KEYS, blockKey, LOG_HEAD_KEY, parseBlockKey } from '../src/keys.js';
import { LmdbDatabase } from '../src/lmdb-database.js';
import { decodeLogHead, encodeLogHead, FORMAT_VERSION } from '../src/record-format.js';
import { entriesOf, stoneOf } from './fixtures/operations.js';
import { failureOf } from './support/failure.js';
import { openTemp, reopen } from './support/temp.js';

const commands = (from: number, count: number, term = 1): LogEntry[] =>
  entriesOf({ op: 'append', from, count, term, bytes: 100, salt: 0 });

/** Works on the database of a closed store. */
async function inDatabase<T>(store: LmdbStore, work: (database: Database) => T | Promise<T>): Promise<T> {
  await store.close();
  const database = await LmdbDatabase.open(store.path, silentLogger);
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

const keysIn = (database: Database): Uint8Array[] => Array.from(database.keys(BLOCK_KEYS), (key) => key.slice());
const valueOf = (database: Database, key: Uint8Array): Uint8Array => database.read(key, (value) => value!.slice());
const namesIn = (store: LmdbStore) => inDatabase(store, (database) => keysIn(database).map(parseBlockKey));

/** Makes other keys of those of a closed store's blocks. */
function renameBlocks(store: LmdbStore, rename: (key: Uint8Array) => Uint8Array): Promise<void> {
  return inDatabase(store, async (database) => {
    const changes = keysIn(database).flatMap((key): Change[] => [
      { key, value: null },
      { key: rename(key), value: valueOf(database, key) },
    ]);
    await database.commit(changes);
  });
}

/** What {@link LmdbStore} wrote before keys named terms. */
async function makeFirstFormat(store: LmdbStore): Promise<void> {
  await renameBlocks(store, (key) => key.slice(0, 13));
  await inDatabase(store, (database) => {
    const head = encodeLogHead(store.logStore.firstIndex);
    const view = new DataView(head.buffer);
    view.setUint32(8, 1);
    view.setUint32(4, crc32(head.subarray(8)));
    return database.commit([{ key: LOG_HEAD_KEY, value: head }]);
  });
}

const outlines = (store: LmdbStore): readonly LogEntry[] => {
  const { firstIndex, lastIndex, readOutline } = store.logStore;
  return readOutline!.call(store.logStore, firstIndex, lastIndex, Infinity) as readonly LogEntry[];
};

test('a key gives back what was put into it, and shows damage of any byte of it', () => {
  for (const commandTerm of [0, 1, 2 ** 33, Number.MAX_SAFE_INTEGER]) {
    const name = { firstIndex: 2 ** 40, entries: 77, commandTerm };
    expect(parseBlockKey(blockKey(name))).toEqual(name);
  }
  const key = blockKey({ firstIndex: 5, entries: 3, commandTerm: 9 });
  for (let at = 1; at < key.length; at++) {
    const damaged = key.slice();
    damaged[at]! ^= 4;
    expect(() => parseBlockKey(damaged)).toThrow(FormatError);
  }
  for (const length of [12, 14, 24, 26]) expect(() => parseBlockKey(new Uint8Array(length))).toThrow(FormatError);
});

test('keys name the term of blocks of commands of one term, and of no others', async () => {
  const store = await openTemp();
  const { logStore } = store;
  await logStore.append(commands(1, 5));
  await logStore.append([...commands(6, 2), ...commands(8, 2, 3)]);
  await logStore.append([{ index: 10, term: 3, type: EntryType.noop, data: new Uint8Array(0) }, ...commands(11, 3, 3)]);
  await logStore.append([...commands(14, 3, 3), { ...commands(17, 1, 3)[0]!, type: EntryType.barrier }]);
  await logStore.append(commands(18, 4, 4));
  await logStore.appendAndRedact([...commands(22, 3, 4)], [stoneOf(23, 4)]);
  expect((await namesIn(store)).map(({ commandTerm }) => commandTerm)).toEqual([1, 0, 0, 0, 4, 0]);
});

test('a block that is cut short keeps the term, unless it takes a tombstone in', async () => {
  const cut = await openTemp();
  await cut.logStore.append(commands(1, 10));
  await cut.logStore.truncateSuffix(6);
  expect(await namesIn(cut)).toEqual([{ firstIndex: 1, entries: 5, commandTerm: 1 }]);

  const redacted = await openTemp();
  await redacted.logStore.append(commands(1, 10));
  await redacted.logStore.redact([stoneOf(2, 1)]);
  await redacted.logStore.truncateSuffix(6);
  expect(await namesIn(redacted)).toEqual([{ firstIndex: 1, entries: 5, commandTerm: 0 }]);
});

test('a block that takes tombstones in has another key, and the former one is gone', async () => {
  const store = await openTemp({ maxWaitingTombstones: 0 });
  await store.logStore.append(commands(1, 10));
  await store.logStore.append(commands(11, 10));
  await store.logStore.redact([stoneOf(2, 1)]);
  expect(outlines(store).filter(({ type }) => type === EntryType.tombstone)).toEqual([stoneOf(2, 1)]);
  expect(await namesIn(store)).toEqual([
    { firstIndex: 1, entries: 10, commandTerm: 0 },
    { firstIndex: 11, entries: 10, commandTerm: 1 },
  ]);
  const again = await reopen(store, { maxWaitingTombstones: 0 });
  expect(await again.logStore.read(1, 20, Infinity)).toEqual([...commands(1, 1), stoneOf(2, 1), ...commands(3, 18)]);
  await again.logStore.truncateSuffix(3);
  await again.logStore.truncatePrefix(1);
  expect(await namesIn(again)).toEqual([{ firstIndex: 1, entries: 2, commandTerm: 0 }]);
});

test('a block that takes tombstones in can be read all the while, though its key changes before the commit is reported', async () => {
  let committed: Promise<void> = Promise.resolve();
  let report = (): void => undefined;
  const late = (database: Database): Database => ({
    read: (key, use) => database.read(key, use),
    keys: (range) => database.keys(range),
    usage: () => database.usage(),
    close: () => database.close(),
    commit: async (changes) => {
      const reported = new Promise<void>((resolve) => (report = resolve));
      await (committed = database.commit(changes));
      if (changes.some(({ value }) => value === null)) await reported;
    },
  });
  const store = await openTemp({ cacheBytes: 0, maxWaitingTombstones: 0 }, { wrapDatabase: late });
  await store.logStore.append(commands(1, 10));
  await store.logStore.append(commands(11, 10));
  const redacted = store.logStore.redact([stoneOf(2, 1)]);
  await committed;
  const after = [...commands(1, 1), stoneOf(2, 1), ...commands(3, 18)];
  expect(Array.from(store.logStore.lend!(1, 20, Infinity), (entry) => structuredClone(entry))).toEqual(after);
  expect(await store.logStore.read(1, 20, Infinity)).toEqual(after);
  expect(outlines(store)).toHaveLength(20);
  await store.verify();
  report();
  await redacted;
  expect(await store.logStore.read(1, 20, Infinity)).toEqual(after);
  await store.verify();
});

test('an outline of commands is given without reading them, and has the tombstones that wait', async () => {
  const store = await openTemp({ cacheBytes: 0 });
  await store.logStore.append(commands(1, 100));
  await store.logStore.redact([stoneOf(7, 1)]);
  // What is read at opening must lie behind.
  for (let from = 101; from <= 800; from += 10) await store.logStore.append(commands(from, 10));
  await inDatabase(store, (database) => {
    const [key] = keysIn(database);
    const value = valueOf(database, key!);
    value[500]! ^= 1;
    return database.commit([{ key: key!, value }]);
  });
  const again = await openTemp({ path: store.path, cacheBytes: 0 });
  const seen = outlines(again);
  expect(seen.map(({ index, term }) => [index, term])).toEqual(
    commands(1, 800).map(({ index, term }) => [index, term]),
  );
  expect(seen.filter(({ type }) => type !== EntryType.command)).toEqual([stoneOf(7, 1)]);
  expect(await failureOf(() => again.logStore.read(1, 1, Infinity))).toMatchObject({ details: { index: 1 } });
});

test('a key that says something else than its block is found when the block is read', async () => {
  const store = await openTemp({ cacheBytes: 0 });
  await store.logStore.append([...commands(1, 3), ...commands(4, 2, 2)]);
  await renameBlocks(store, (key) => blockKey({ ...parseBlockKey(key), commandTerm: 2 }));
  const again = await openTemp({ path: store.path, cacheBytes: 0 });
  expect(outlines(again).map(({ term }) => term)).toEqual([2, 2, 2, 2, 2]);
  const damaged = { code: 'RAFT_STORE_CORRUPT', details: { part: 'block', index: 1 } };
  expect(await failureOf(() => again.logStore.read(1, 5, Infinity))).toMatchObject(damaged);
  expect(await failureOf(again.verify())).toMatchObject(damaged);
});

test('a damaged key is found at opening', async () => {
  const store = await openTemp();
  await store.logStore.append(commands(1, 3));
  await renameBlocks(store, (key) => key.map((byte, at) => (at === 20 ? byte ^ 1 : byte)));
  expect(await failureOf(openTemp({ path: store.path }))).toMatchObject({
    code: 'RAFT_STORE_CORRUPT',
    message: expect.stringMatching(/checksum of a block's key/) as string,
    details: { part: 'log' },
  });
});

test('a store of the first format is read, redacted, cut and written on', async () => {
  const store = await openTemp({ maxWaitingTombstones: 0 });
  await store.logStore.append(commands(1, 10));
  await store.logStore.append(commands(11, 10));
  await makeFirstFormat(store);
  const again = await openTemp({ path: store.path, maxWaitingTombstones: 0 });
  expect(outlines(again)).toHaveLength(20);
  expect(await again.logStore.read(1, 20, Infinity)).toEqual(commands(1, 20));
  await again.logStore.appendAndRedact(commands(21, 5), [stoneOf(3, 1)]);
  await again.logStore.truncateSuffix(16);
  await again.logStore.append(commands(16, 2));
  const last = await reopen(again);
  expect(await last.logStore.read(1, 17, Infinity)).toEqual([...commands(1, 2), stoneOf(3, 1), ...commands(4, 14)]);
  await last.verify();
  expect((await namesIn(last)).map(({ commandTerm }) => commandTerm)).toEqual([0, 0, 1]);
});

test('a store that was opened says that it is of the format that it is written in now', async () => {
  const store = await openTemp();
  await makeFirstFormat(store);
  const again = await openTemp({ path: store.path });
  const head = await inDatabase(again, (database) => decodeLogHead(valueOf(database, LOG_HEAD_KEY)));
  expect(head).toEqual({ version: FORMAT_VERSION, firstIndex: 1 });
});
