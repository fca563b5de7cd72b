import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LmdbStore } from '../src/index.js';
import { entriesOf } from './fixtures/operations.js';
import { failureOf } from './support/failure.js';
import { contentsOf } from './support/store-model.js';
import { openTemp, reopen } from './support/temp.js';

const MIB = 1 << 20;

/** A store that held 16 MiB and holds the last of it, with term and vote. */
async function emptied(): Promise<LmdbStore> {
  const store = await openTemp({ cacheBytes: 0 });
  const { logStore, stableStore } = store;
  for (let from = 1; from <= 64; from += 8) {
    await logStore.append(entriesOf({ op: 'append', from, count: 8, term: 1, bytes: MIB / 4, salt: 3 }));
  }
  await logStore.truncatePrefix(62);
  await stableStore.save({ term: 4, votedFor: 'a' });
  return store;
}

const fileBytesOf = (store: LmdbStore): number => statSync(join(store.path, 'data.mdb')).size;

test('a file that is mostly free shrinks when it is opened, and holds what it held', async () => {
  const store = await emptied();
  expect(fileBytesOf(store)).toBeGreaterThan(16 * MIB);
  const held = await contentsOf(store);
  const again = await reopen(store);
  expect(fileBytesOf(again)).toBeLessThan(2 * MIB);
  expect(again.stats().fileBytes).toBe(fileBytesOf(again));
  expect(await contentsOf(again)).toEqual(held);
  await again.verify();
  expect((await failureOf(openTemp({ path: again.path }))).failure).toBe('locked');

  await again.logStore.append(entriesOf({ op: 'append', from: 65, count: 1, term: 4, bytes: 10, salt: 0 }));
  const last = await reopen(again);
  expect(last.logStore.lastIndex).toBe(65);
  expect(existsSync(join(last.path, 'compacting'))).toBe(false);
});

test('a copy that was cut off is removed, and the file copied again', async () => {
  const store = await emptied();
  const held = await contentsOf(store);
  await store.close();
  mkdirSync(join(store.path, 'compacting'));
  writeFileSync(join(store.path, 'compacting', 'data.mdb'), 'half a copy');
  const again = await openTemp({ path: store.path });
  expect(await contentsOf(again)).toEqual(held);
  expect(fileBytesOf(again)).toBeLessThan(2 * MIB);
  expect(existsSync(join(store.path, 'compacting'))).toBe(false);
});

test('a file that is mostly in use, or small, is left as it is', async () => {
  const store = await openTemp();
  await store.logStore.append(entriesOf({ op: 'append', from: 1, count: 16, term: 1, bytes: MIB / 4, salt: 0 }));
  await store.logStore.truncatePrefix(15);
  const bytes = fileBytesOf(store);
  expect(fileBytesOf(await reopen(store))).toBe(bytes);
});
