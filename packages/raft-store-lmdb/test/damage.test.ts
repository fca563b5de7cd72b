import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LmdbStore } from '../src/index.js';
import { bytesOf, entriesOf, stoneOf } from './fixtures/operations.js';
import { failureOf } from './support/failure.js';
import { openTemp } from './support/temp.js';

const head = (index: number) => ({ version: 1, index, term: 1, configuration: { servers: [] }, configurationIndex: 1 });

/** A closed store: 40 blocks of 100 entries each, a tombstone, term and vote, and a snapshot of three chunks. */
async function written(): Promise<LmdbStore> {
  const store = await openTemp();
  for (let from = 1; from < 4000; from += 100) {
    await store.logStore.append(entriesOf({ op: 'append', from, count: 100, term: 1, bytes: 500, salt: 0 }));
  }
  await store.logStore.redact([stoneOf(3, 1)]);
  await store.stableStore.save({ term: 77, votedFor: 'somebody' });
  const sink = await store.snapshotStore.create(head(9));
  await sink.write(bytesOf(150_000, 1));
  await sink.close();
  await store.close();
  return store;
}

/** Changes a byte `offset` bytes behind each place in a file where these bytes stand. */
function damage(file: string, marks: Uint8Array, offset: number): void {
  const bytes = readFileSync(file);
  let places = 0;
  for (let at = bytes.indexOf(marks); at >= 0; at = bytes.indexOf(marks, at + 1), places++) bytes[at + offset]! ^= 1;
  expect(places).toBeGreaterThan(0);
  writeFileSync(file, bytes);
}

const database = (store: LmdbStore): string => join(store.path, 'data.mdb');

/** What a block begins with, but for its checksum: the count of its entries and tombstones, and its first index. */
function blockMark(firstIndex: number, entries: number, tombstones = 0): Uint8Array {
  const mark = Buffer.alloc(16);
  mark.writeUInt32BE(entries, 0);
  mark.writeUInt32BE(tombstones, 4);
  mark.writeUInt32BE(firstIndex, 12);
  return mark;
}

test('nothing is wrong with a store that nobody touched', async () => {
  const store = await openTemp({ path: (await written()).path });
  await store.verify();
  expect(store.stats()).toMatchObject({ entries: 4000, snapshots: 1, snapshotBytes: 150_000, poisoned: false });
});

test('a damaged block at the end of the log is found at opening', async () => {
  const store = await written();
  damage(database(store), blockMark(3901, 100), 1000);
  expect(await failureOf(openTemp({ path: store.path }))).toMatchObject({
    code: 'RAFT_STORE_CORRUPT',
    message: expect.stringMatching(/entries 3901 to 4000 .* checksum .* do not start an empty store/) as string,
    details: { failure: 'corrupt', part: 'block', index: 3901, path: store.path, advice: expect.any(String) as string },
  });
});

test('a damaged block further back is found when it is read, and by verify', async () => {
  const { path } = await written();
  damage(join(path, 'data.mdb'), blockMark(101, 100), 1000);
  const store = await openTemp({ path });
  expect(await store.logStore.read(1, 100, Infinity)).toHaveLength(100);
  expect(await failureOf(() => store.logStore.read(1, 200, Infinity))).toMatchObject({
    details: { part: 'block', index: 101 },
  });
  const lent: number[] = [];
  const walk = (): void => {
    for (const { index } of store.logStore.lend!(1, 200, Infinity)) lent.push(index);
  };
  expect(await failureOf(walk)).toMatchObject({ details: { part: 'block', index: 101 } });
  // Of a damaged block nothing is lent.
  expect(lent.at(-1)).toBe(100);
  expect(await failureOf(store.verify())).toMatchObject({ code: 'RAFT_STORE_CORRUPT', details: { index: 101 } });
  // A damaged entry does no harm to those behind it, nor to writes.
  expect(await store.logStore.read(201, 300, Infinity)).toHaveLength(100);
  await store.logStore.truncatePrefix(200);
  await store.verify();
});

test('damaged tombstones are found at opening', async () => {
  const store = await written();
  damage(database(store), blockMark(3, 1, 1), 30);
  expect(await failureOf(openTemp({ path: store.path }))).toMatchObject({
    details: { failure: 'corrupt', part: 'redactions' },
  });
});

test('damaged term and vote are found at opening', async () => {
  const store = await written();
  damage(database(store), Buffer.from('RHS1'), 12);
  expect(await failureOf(openTemp({ path: store.path }))).toMatchObject({
    code: 'RAFT_STORE_CORRUPT',
    details: { part: 'hard state', advice: expect.stringContaining('could vote twice') as string },
  });
});

test('a file cut short is found, and does not kill the process', async () => {
  const store = await written();
  truncateSync(database(store), 200_000);
  const error = await failureOf(async () => (await openTemp({ path: store.path })).verify());
  expect(error.code).toBe('RAFT_STORE_CORRUPT');
});

test('a file that is no database is refused', async () => {
  const store = await written();
  writeFileSync(database(store), 'This is a poem, not a database.\n'.repeat(500));
  expect(await failureOf(openTemp({ path: store.path }))).toMatchObject({
    details: { failure: 'corrupt', part: 'database' },
  });
});

test('a damaged chunk of a snapshot is found when it is read, and by verify', async () => {
  const { path } = await written();
  const [file] = readdirSync(join(path, 'snapshots'));
  const bytes = readFileSync(join(path, 'snapshots', file!));
  bytes[100_000]! ^= 1;
  writeFileSync(join(path, 'snapshots', file!), bytes);
  const store = await openTemp({ path });
  const source = await store.snapshotStore.open((await store.snapshotStore.list())[0]!.id);
  expect(await source.read(0, 65_536)).toEqual(bytesOf(65_536, 1));
  expect(await failureOf(source.read(65_536, 1))).toMatchObject({
    code: 'RAFT_STORE_CORRUPT',
    details: { part: 'snapshot', file, advice: expect.stringContaining('older one') as string },
  });
  await source.close();
  expect(await failureOf(store.verify())).toMatchObject({ details: { part: 'snapshot' } });
});

test.each([
  ['a cut end', (bytes: Buffer) => bytes.subarray(0, -20)],
  ['a cut middle', (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 1000), bytes.subarray(1010)])],
  ['damaged meta', (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -30), bytes.subarray(-30).fill(7, 0, 5)])],
  ['nothing in it', () => Buffer.alloc(0)],
])('a snapshot with %s is found at opening', async (_what, change) => {
  const { path } = await written();
  const [file] = readdirSync(join(path, 'snapshots'));
  const name = join(path, 'snapshots', file!);
  writeFileSync(name, change(readFileSync(name)));
  expect(await failureOf(openTemp({ path }))).toMatchObject({
    details: { failure: 'corrupt', part: 'snapshot', file },
  });
});

test('what was never finished of a snapshot is taken away at opening', async () => {
  const { path } = await written();
  writeFileSync(join(path, 'snapshots', '1-20-7.partial'), 'half');
  const store = await openTemp({ path });
  expect(readdirSync(join(path, 'snapshots'))).toEqual(['1-9-1.snapshot']);
  const sink = await store.snapshotStore.create(head(20));
  expect(sink.id).toBe('1-20-8');
  await sink.cancel();
});

test('closing the store drops the snapshot that is being written', async () => {
  const store = await openTemp();
  const sink = await store.snapshotStore.create(head(3));
  await sink.write(bytesOf(100_000, 1));
  await store.close();
  expect(readdirSync(join(store.path, 'snapshots'))).toEqual([]);
  expect(await failureOf(sink.close())).toMatchObject({ code: 'RAFT_STORE_FAILED' });
});
