import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { seededRandom, type LogEntry } from '@discovery-raft/raft-core';
import type { LmdbStore, LmdbStoreOptions } from '../src/index.js';
import { entriesOf, stoneOf } from './fixtures/operations.js';
import { failureOf } from './support/failure.js';
import { openTemp, reopen } from './support/temp.js';

const PAYLOAD_BYTES = 256;
const BATCH = 64;

const batchFrom = (from: number): LogEntry[] =>
  entriesOf({ op: 'append', from, count: BATCH, term: 1, bytes: PAYLOAD_BYTES, salt: 0 });

/** Updates `keys` live items at random, each update an append and the tombstone of what it replaces. */
async function churn(updates: number, keys: number, options: Partial<LmdbStoreOptions>): Promise<LmdbStore> {
  const store = await openTemp({ cacheBytes: 0, ...options });
  const { logStore } = store;
  const random = seededRandom(7);
  const living = new Map<number, number>();
  for (let from = 1; from <= updates; from += BATCH) {
    await logStore.append(batchFrom(from));
    const stones: LogEntry[] = [];
    for (let index = from; index < from + BATCH; index++) {
      const key = Math.floor(random.next() * keys);
      const old = living.get(key);
      if (old !== undefined) stones.push(stoneOf(old, 1));
      living.set(key, index);
    }
    await logStore.redact(stones);
    const oldest = Math.min(...living.values());
    if (oldest > logStore.firstIndex) await logStore.truncatePrefix(oldest - 1);
  }
  await assertLiving(store, new Set(living.values()));
  return store;
}

async function assertLiving(store: LmdbStore, living: ReadonlySet<number>): Promise<void> {
  const { firstIndex, lastIndex } = store.logStore;
  const entries = await store.logStore.read(firstIndex, lastIndex, Infinity);
  const wrong = entries.filter(({ index, type }) => (type === 0) !== living.has(index));
  expect(wrong).toEqual([]);
  expect(entries.length).toBe(lastIndex - firstIndex + 1);
}

test('the size follows what is alive, and what is written stays in proportion to what is appended', async () => {
  const updates = 20_000;
  const keys = 400;
  const store = await churn(updates, keys, {});
  const stats = store.stats();
  const tombstones = stats.entries - keys;
  const liveBytes = keys * (PAYLOAD_BYTES + 14) + tombstones * 50;
  expect(stats.usedBytes).toBeLessThan(1.5 * liveBytes + (256 << 10));
  expect(stats.fileBytes).toBeLessThan(4 * liveBytes + (4 << 20));
  const appendedBytes = updates * (PAYLOAD_BYTES + 14);
  expect(stats.rewrittenBytes).toBeLessThan(2.5 * appendedBytes);
  expect(stats.writtenBytes).toBeLessThan(4 * appendedBytes);

  const again = await reopen(store);
  await again.verify();
  expect(await again.logStore.read(again.logStore.firstIndex, again.logStore.lastIndex, Infinity)).toHaveLength(
    stats.entries,
  );
});

test('no more tombstones wait than may', async () => {
  const store = await churn(6_000, 2000, { maxWaitingTombstones: 300 });
  const { waitingTombstones, waitingTombstoneBytes } = store.stats();
  expect(waitingTombstones).toBeGreaterThan(0);
  expect(waitingTombstones).toBeLessThanOrEqual(300);
  expect(waitingTombstoneBytes).toBeLessThan(300 * 66 * 4 + (1 << 20));
});

test('blocks that are due at once take turns, and each has its turn', async () => {
  const blocks = 200;
  const store = await openTemp({ cacheBytes: 0 });
  const { logStore } = store;
  for (let block = 0; block < blocks; block++) await logStore.append(batchFrom(1 + block * BATCH));
  const stones = (entries: readonly number[]): LogEntry[] =>
    Array.from({ length: blocks }, (_, block) => entries.map((entry) => stoneOf(block * BATCH + entry, 1))).flat();
  await logStore.redact(stones([1, 2, 3]));
  expect(store.stats().rewrittenBlocks).toBe(0);
  // With two more of each, every block would give back a page of its five.
  await logStore.redact(stones([4, 5]));
  const atOnce = store.stats();
  expect(atOnce.rewrittenBlocks).toBeGreaterThan(0);
  expect(atOnce.rewrittenBlocks).toBeLessThan(blocks / 4);
  for (let call = 0; call < 40; call++) await logStore.redact([stoneOf(call * BATCH + 6, 1)]);
  expect(store.stats().rewrittenBlocks).toBeGreaterThanOrEqual(blocks);
  expect(store.stats().waitingTombstones).toBeLessThanOrEqual(40);
  const living = Array.from({ length: blocks * BATCH }, (_, i) => i + 1).filter(
    (index) => (index - 1) % BATCH >= (index <= 40 * BATCH ? 6 : 5),
  );
  await assertLiving(store, new Set(living));
});

test('a tombstone that waited is not put on the entry that took its place', async () => {
  const store = await openTemp({ cacheBytes: 0 });
  await store.logStore.append(batchFrom(1));
  await store.logStore.append(batchFrom(BATCH + 1));
  await store.logStore.redact([stoneOf(3, 1), stoneOf(BATCH + 3, 1)]);
  expect(store.stats().waitingTombstones).toBe(2);
  await store.logStore.truncateSuffix(BATCH + 1);
  await store.logStore.append(batchFrom(BATCH + 1));
  const again = await reopen(store, { cacheBytes: 0 });
  const expected = [...batchFrom(1), ...batchFrom(BATCH + 1)].map((entry) =>
    entry.index === 3 ? stoneOf(3, 1) : entry,
  );
  expect(await again.logStore.read(1, 2 * BATCH, Infinity)).toEqual(expected);
  await again.logStore.reset(1);
  await again.logStore.append(batchFrom(1));
  const last = await reopen(again, { cacheBytes: 0 });
  expect(await last.logStore.read(1, BATCH, Infinity)).toEqual(batchFrom(1));
});

test('a tombstone of another term than the entry is refused', async () => {
  const store = await openTemp();
  await store.logStore.append(batchFrom(1));
  expect((await failureOf(store.logStore.redact([stoneOf(3, 2)]))).failure).toBe('misuse');
  expect(store.failure).toBeNull();
});

test('reads may run beside a write that cuts the log', async () => {
  const store = await openTemp({ cacheBytes: 0 });
  const { logStore } = store;
  await logStore.append(batchFrom(1));
  await logStore.append(batchFrom(BATCH + 1));
  const cut = logStore.truncateSuffix(BATCH + 11);
  for (let turn = 0, done = false; !done; turn++) {
    expect(await logStore.read(1, BATCH + 10, Infinity)).toHaveLength(BATCH + 10);
    expect((await failureOf(() => logStore.read(1, BATCH + 11, Infinity))).failure).toBe('misuse');
    done = await Promise.race([
      Promise.resolve(cut).then(() => true),
      new Promise<false>((r) => setImmediate(() => r(false))),
    ]);
  }
  const prefix = logStore.truncatePrefix(20);
  expect((await failureOf(() => logStore.read(20, 30, Infinity))).failure).toBe('misuse');
  expect(await logStore.read(21, BATCH + 10, Infinity)).toHaveLength(BATCH - 10);
  await prefix;
});

test('a second write at once is refused', async () => {
  const store = await openTemp();
  const first = store.logStore.append(batchFrom(1));
  expect((await failureOf(store.logStore.reset(1))).failure).toBe('misuse');
  await first;
  expect(store.logStore.lastIndex).toBe(BATCH);
});

test.each([
  ['maxBytes', 100],
  ['cacheBytes', -1],
  ['retainSnapshots', 0],
  ['maxWaitingTombstones', NaN],
])('the option %s may not be %d', async (name, value) => {
  expect(await failureOf(openTemp({ [name]: value }))).toMatchObject({ details: { failure: 'misuse' } });
});

test('a closed store refuses every call', async () => {
  const store = await openTemp();
  await store.logStore.append(batchFrom(1));
  const head = { version: 1, index: 1, term: 1, configuration: { servers: [] }, configurationIndex: 1 };
  const { id } = await (await store.snapshotStore.create(head)).close();
  const open = await store.snapshotStore.create({ ...head, index: 2 });
  const created = store.snapshotStore.create({ ...head, index: 3 });
  await store.close();
  expect((await failureOf(created)).failure).toBe('closed');
  expect((await failureOf(open.write(new Uint8Array(1)))).failure).toBe('closed');
  expect((await failureOf(open.close())).failure).toBe('closed');
  expect((await failureOf(store.snapshotStore.create(head))).failure).toBe('closed');
  expect((await failureOf(store.snapshotStore.open(id))).failure).toBe('closed');
  // Another process may have it open by now.
  expect(await readdir(join(store.path, 'snapshots'))).toEqual([`${id}.snapshot`]);
  await store.close();
  expect((await failureOf(store.logStore.append(batchFrom(BATCH + 1)))).failure).toBe('closed');
  expect((await failureOf(() => store.stableStore.load())).failure).toBe('closed');
  expect((await failureOf(() => store.stats())).failure).toBe('closed');
});
