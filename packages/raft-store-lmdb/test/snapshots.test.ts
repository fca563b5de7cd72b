import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { LmdbStore } from '../src/index.js';
import { bytesOf } from './fixtures/operations.js';
import { openTemp, reopen } from './support/temp.js';

async function write(store: LmdbStore, index: number, bytes = 1000): Promise<string> {
  const head = { version: 1, index, term: 1, configuration: { servers: [] }, configurationIndex: 1 };
  const sink = await store.snapshotStore.create(head);
  await sink.write(bytesOf(bytes, index));
  return (await sink.close()).id;
}

const indexesOf = async (store: LmdbStore): Promise<number[]> =>
  (await store.snapshotStore.list()).map(({ index }) => index);

test('as many snapshots are kept as were asked for, and no more files than that', async () => {
  const store = await openTemp({ retainSnapshots: 3 });
  for (const index of [1, 2, 3, 4, 5]) await write(store, index);
  expect(await indexesOf(store)).toEqual([5, 4, 3]);
  expect(readdirSync(join(store.path, 'snapshots'))).toHaveLength(3);
  const again = await reopen(store, { retainSnapshots: 2 });
  expect(await indexesOf(again)).toEqual([5, 4]);
  expect(readdirSync(join(store.path, 'snapshots'))).toHaveLength(2);
});

test('of one index and term, the one that was closed last comes first, after a restart too', async () => {
  const store = await openTemp();
  const ids = [await write(store, 7), await write(store, 7)];
  expect((await store.snapshotStore.list()).map(({ id }) => id)).toEqual(ids.toReversed());
  const again = await reopen(store);
  expect((await again.snapshotStore.list()).map(({ id }) => id)).toEqual(ids.toReversed());
  expect(ids).not.toContain(await write(again, 7));
});

test('a snapshot that is read is read to its end, though it is not kept any more', async () => {
  const store = await openTemp({ retainSnapshots: 1 });
  const source = await store.snapshotStore.open(await write(store, 1, 200_000));
  expect(await source.read(0, 70_000)).toEqual(bytesOf(200_000, 1).subarray(0, 70_000));
  await write(store, 2);
  expect(await indexesOf(store)).toEqual([2]);
  expect(await source.read(70_000, 1 << 20)).toEqual(bytesOf(200_000, 1).subarray(70_000));
  await source.close();
  await source.close();
});
