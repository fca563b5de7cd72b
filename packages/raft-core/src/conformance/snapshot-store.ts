import type { Configuration, SnapshotMeta } from '../core/types.js';
import type { MaybePromise } from '../ports/log-store.js';
import type { SnapshotSink, SnapshotStore } from '../ports/snapshot-store.js';
import { assert, assertRefuses, assertSame, type ConformanceCheck } from './check.js';
import type { StoreConformanceOptions } from './log-store.js';

const CONFIGURATION: Configuration = {
  servers: [
    { suffrage: 'voter', id: 'a', address: 'a:1' },
    { suffrage: 'nonvoter', id: 'b\u00e9', address: 'b:1' },
    { suffrage: 'staging', id: 'c', address: 'c:1' },
  ],
  outgoing: [{ suffrage: 'voter', id: 'd', address: 'd:1' }],
};

function head(index: number, term = 3): Omit<SnapshotMeta, 'id' | 'size'> {
  return { version: 1, index, term, configuration: CONFIGURATION, configurationIndex: index - 1 };
}

/** Bytes that differ from offset to offset and from seed to seed. */
function bytes(length: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8) + seed) & 255);
}

async function write(store: SnapshotStore, index: number, data: Uint8Array, term = 3): Promise<SnapshotMeta> {
  const sink = await store.create(head(index, term));
  for (let at = 0; at < data.length; at += 1000) await sink.write(data.subarray(at, at + 1000));
  return sink.close();
}

/** Reads a snapshot in steps of `stepBytes`. */
async function readAll(store: SnapshotStore, id: string, stepBytes: number): Promise<Uint8Array> {
  const source = await store.open(id);
  try {
    const found: number[] = [];
    for (;;) {
      const chunk = await source.read(found.length, stepBytes);
      assert(chunk.length <= stepBytes, `a read of ${stepBytes} bytes gave ${chunk.length}`);
      if (chunk.length === 0) return Uint8Array.from(found);
      found.push(...chunk);
    }
  } finally {
    await source.close();
  }
}

type Named = readonly [name: string, body: (store: SnapshotStore) => Promise<void>];

/**
 * What {@link SnapshotStore} promises.
 *
 * @param create gives a new, empty store at each call; each check closes its own
 */
export function snapshotStoreConformance(
  create: () => MaybePromise<SnapshotStore>,
  options: StoreConformanceOptions<SnapshotStore> = {},
): readonly ConformanceCheck[] {
  const { reopen } = options;
  const checks = CHECKS.map(([name, body]): ConformanceCheck => ({
    name: `SnapshotStore: ${name}`,
    run: async () => {
      const store = await create();
      try {
        await body(store);
      } finally {
        await store.close();
      }
    },
  }));
  return reopen === undefined ? checks : [...checks, survives(create, reopen)];
}

const CHECKS: readonly Named[] = [
  [
    'a new store has no snapshots, and opens none',
    async (store) => {
      assertSame(await store.list(), [], 'the list');
      await assertRefuses(['RAFT_STORE_FAILED'], 'an unknown id', () => store.open('none'));
    },
  ],
  [
    'a snapshot comes back whole, with its meta, however it is read',
    async (store) => {
      const data = bytes(5000);
      const meta = await write(store, 9, data);
      assertSame(meta, { ...head(9), id: meta.id, size: 5000 }, 'the meta');
      assertSame(await store.list(), [meta], 'the list');
      for (const step of [1, 999, 1000, 5000, 1 << 20])
        assertSame(await readAll(store, meta.id, step), data, 'the bytes');
      const source = await store.open(meta.id);
      assertSame(source.meta, meta, 'the meta of the source');
      assertSame(await source.read(4990, 100), data.slice(4990), 'the end');
      assertSame(await source.read(5000, 100), new Uint8Array(0), 'what lies behind the end');
      assertSame(await source.read(10, 5), data.slice(10, 15), 'a read back in the middle');
      await source.close();
    },
  ],
  [
    'an empty snapshot is one',
    async (store) => {
      const meta = await (await store.create(head(4))).close();
      assertSame(meta.size, 0, 'its size');
      assertSame(await readAll(store, meta.id, 10), new Uint8Array(0), 'its bytes');
    },
  ],
  [
    'nothing can be seen of a snapshot before it is closed',
    async (store) => {
      const sink = await store.create(head(5));
      assertSame(sink.size, 0, 'size before the first write');
      await sink.write(bytes(10));
      await sink.write(bytes(5));
      assertSame(sink.size, 15, 'size');
      assertSame(await store.list(), [], 'the list');
      await sink.close();
      assertSame((await store.list()).length, 1, 'snapshots after the close');
    },
  ],
  [
    'a cancelled snapshot leaves nothing behind; cancelling is idempotent',
    async (store) => {
      const kept = await write(store, 3, bytes(10));
      const sink = await store.create(head(5));
      await sink.write(bytes(10));
      await sink.cancel();
      await sink.cancel();
      assertSame(await store.list(), [kept], 'the list');
    },
  ],
  [
    'the newest comes first, by index and then by term, whatever was written last',
    async (store) => {
      await write(store, 5, bytes(10));
      await write(store, 8, bytes(10, 1));
      const newest = await write(store, 8, bytes(10, 2), 4);
      await write(store, 6, bytes(10));
      const list = await store.list();
      assertSame(list[0], newest, 'the first of the list');
      const order = list.map((meta) => [meta.index, meta.term]);
      const sorted = [...order].sort((a, b) => b[0]! - a[0]! || b[1]! - a[1]!);
      assertSame(order, sorted, 'the order');
      assertSame(await readAll(store, newest.id, 100), bytes(10, 2), 'the bytes of the newest');
    },
  ],
  [
    'two sinks at once, of one index too, do not mix',
    async (store) => {
      const sinks: SnapshotSink[] = [await store.create(head(7)), await store.create(head(7))];
      assert(sinks[0]!.id !== sinks[1]!.id, 'two snapshots have one id');
      for (let i = 0; i < 3; i++) for (const [n, sink] of sinks.entries()) await sink.write(bytes(100, n + 10 * i));
      await sinks[0]!.cancel();
      const meta = await sinks[1]!.close();
      const expected = Uint8Array.from([1, 11, 21].flatMap((seed) => [...bytes(100, seed)]));
      assertSame(await readAll(store, meta.id, 64), expected, 'the bytes');
    },
  ],
  [
    'the newest is kept, however many follow one another',
    async (store) => {
      for (let index = 2; index < 12; index++) {
        const meta = await write(store, index, bytes(50, index));
        assertSame((await store.list())[0], meta, 'the first of the list');
        assertSame(await readAll(store, meta.id, 50), bytes(50, index), 'its bytes');
      }
    },
  ],
];

function survives(
  create: () => MaybePromise<SnapshotStore>,
  reopen: (store: SnapshotStore) => MaybePromise<SnapshotStore>,
): ConformanceCheck {
  return {
    name: 'SnapshotStore: a closed snapshot outlives a restart, an open one does not',
    run: async () => {
      let store = await create();
      const meta = await write(store, 9, bytes(3000));
      const open = await store.create(head(12));
      await open.write(bytes(100));
      store = await reopen(store);
      try {
        assertSame(await store.list(), [meta], 'the list');
        assertSame(await readAll(store, meta.id, 700), bytes(3000), 'the bytes');
        const next = await write(store, 10, bytes(20));
        assertSame((await store.list())[0], next, 'the first of the list after another');
      } finally {
        await store.close();
      }
    },
  };
}
