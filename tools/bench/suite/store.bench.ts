import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EntryType, seededRandom, type LogEntry } from '@discovery-raft/raft-core';
import { LmdbStore } from '@discovery-raft/raft-store-lmdb';
import type { Bench, BenchContext, Measurement } from '../bench.js';
import { churnList, type Footprint } from '../list/churn.js';
import { median } from '../rate.js';

const entryBytes = 256;
/** What a tombstone carries: SHA-256 and an index. */
const stonePayloadBytes = 40;

function entries(from: number, count: number): LogEntry[] {
  return Array.from({ length: count }, (_, i) => {
    const data = new Uint8Array(entryBytes).fill((from + i) & 255);
    return { index: from + i, term: 1, type: EntryType.command, data, appendedAtMs: 1.7e12 };
  });
}

function tombstone(index: number): LogEntry {
  return { index, term: 1, type: EntryType.tombstone, data: new Uint8Array(32), extensions: new Uint8Array(8) };
}

/** Runs some work in a directory of its own, on the disk where temporary files lie. */
async function inDirectory<T>(work: (path: string) => Promise<T>): Promise<T> {
  const path = mkdtempSync(join(tmpdir(), 'store-bench-'));
  try {
    return await work(path);
  } finally {
    rmSync(path, { recursive: true });
  }
}

async function withStore<T>(path: string, work: (store: LmdbStore) => Promise<T>): Promise<T> {
  const store = await LmdbStore.open({ path });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Durable entries a second; every tenth batch cuts off the beginning, as compaction does, so the file does not only grow. */
async function appendRate(batch: number, seconds: number): Promise<number> {
  return inDirectory((path) =>
    withStore(path, async ({ logStore }) => {
      let spentMs = 0;
      let count = 0;
      for (let round = 0; spentMs < seconds * 1000; round++) {
        const list = entries(logStore.lastIndex + 1, batch);
        const beganMs = performance.now();
        await logStore.append(list);
        if (round % 10 === 9) await logStore.truncatePrefix(logStore.lastIndex - 10 * batch);
        spentMs += performance.now() - beganMs;
        count += batch;
      }
      return (count / spentMs) * 1000;
    }),
  );
}

/** The same bytes, written to a file one batch after the other, each followed by `fdatasync`. */
async function rawRate(batch: number, seconds: number): Promise<number> {
  return inDirectory(async (path) => {
    const file = openSync(join(path, 'raw'), 'w');
    const bytes = new Uint8Array(batch * entryBytes).fill(7);
    const beganMs = performance.now();
    let count = 0;
    while (performance.now() - beganMs < seconds * 1000) {
      writeSync(file, bytes);
      fdatasyncSync(file);
      count += batch;
    }
    const rate = (count / (performance.now() - beganMs)) * 1000;
    closeSync(file);
    return Promise.resolve(rate);
  });
}

function append(batch: number): Bench {
  return {
    name: `store/append/${entryBytes}B/${batch}`,
    unit: 'entry/s',
    run: async ({ effort }: BenchContext): Promise<Measurement> => {
      const rates: [number, number][] = [];
      for (let i = 0; i < effort.repeats; i++) {
        rates.push([await appendRate(batch, effort.seconds), await rawRate(batch, effort.seconds)]);
      }
      return { value: median(rates.map(([ours]) => ours)), baseline: median(rates.map(([, raw]) => raw)) };
    },
  };
}

/** Opening a store, and then, as a node that starts does, reading all of it. */
function reopen(count: number, what: 'open' | 'open-and-read'): Bench {
  return {
    name: `store/${what}/${count / 1000}k`,
    unit: 'ms',
    run: ({ effort }) =>
      inDirectory(async (path) => {
        await withStore(path, async ({ logStore }) => {
          while (logStore.lastIndex < count) await logStore.append(entries(logStore.lastIndex + 1, 250));
        });
        const tookMs: number[] = [];
        for (let i = 0; i < effort.repeats; i++) {
          const beganMs = performance.now();
          await withStore(path, async ({ logStore }) => {
            let next = what === 'open' ? count + 1 : 1;
            while (next <= count) next += (await logStore.read(next, count, 4 << 20)).length;
            tookMs.push(performance.now() - beganMs);
          });
        }
        return { value: median(tookMs) };
      }),
  };
}

interface Churned {
  /** Milliseconds that the redactions took. */
  readonly redactMs: number;
  readonly redacted: number;
  readonly fileBytes: number;
  readonly liveBytes: number;
  readonly writtenBytes: number;
}

/** Updates items at random, each an entry that redacts the one before; cuts off tombstones at the beginning of the log. */
async function churn(updates: number, items: number, batch: number): Promise<Churned> {
  return inDirectory((path) =>
    withStore(path, async (store) => {
      const { logStore } = store;
      const random = seededRandom(1);
      const living = new Map<number, number>();
      const dead = new Set<number>();
      let redactMs = 0;
      let redacted = 0;
      while (logStore.lastIndex < updates) {
        const list = entries(logStore.lastIndex + 1, batch);
        await logStore.append(list);
        const stones: LogEntry[] = [];
        for (const { index } of list) {
          const item = Math.floor(random.next() * items);
          const old = living.get(item);
          if (old !== undefined) stones.push(tombstone(old));
          living.set(item, index);
        }
        const beganMs = performance.now();
        await logStore.redact(stones);
        redactMs += performance.now() - beganMs;
        redacted += stones.length;
        for (const { index } of stones) dead.add(index);
        let through = logStore.firstIndex - 1;
        while (dead.delete(through + 1)) through++;
        if (through - logStore.firstIndex > 10 * batch) await logStore.truncatePrefix(through);
      }
      const { fileBytes, entries: kept, writtenBytes } = store.stats();
      const liveBytes = living.size * entryBytes + (kept - living.size) * stonePayloadBytes;
      return { redactMs, redacted, fileBytes, liveBytes, writtenBytes };
    }),
  );
}

const redaction: Bench = {
  name: 'store/redact/10k-items/256',
  unit: 'us',
  run: async () => {
    const { redactMs, redacted } = await churn(100_000, 10_000, 256);
    return { value: (redactMs / redacted) * 1000 };
  },
};

/** Size of the file, beside the payload of what is alive: items, and tombstones that cannot be cut off yet. */
const disk: Bench = {
  name: 'store/disk-per-live-byte/1M-updates',
  unit: 'B/B',
  run: async () => {
    const { fileBytes, liveBytes } = await churn(1_000_000, 10_000, 256);
    return { value: fileBytes / liveBytes };
  },
};

/** Bytes given to the database for each byte of payload that was appended. */
const amplification: Bench = {
  name: 'store/write-amplification/10k-items',
  unit: 'B/B',
  run: async () => {
    const { writtenBytes } = await churn(200_000, 10_000, 256);
    return { value: writtenBytes / (200_000 * entryBytes) };
  },
};

/** Looks this often, so that the largest size is seen. */
const lookEvery = 10_000;

/**
 * The largest that something becomes while a node updates 10,000 items, for a byte of live items; beside it a log that is only
 * appended to.
 */
function listChurn(what: 'usedBytes' | 'fileBytes' | 'snapshotBytes', updates: number, onlyInFull: boolean): Bench {
  return {
    name: `store/churn/${updates / 1000}k-updates/${what.replace('Bytes', '')}-per-live-byte`,
    unit: 'B/B',
    onlyInFull,
    run: async () => {
      const found = await listChurnOf(updates);
      const largest = Math.max(...found.map((look) => (look[what] ?? NaN) / look.liveBytes));
      const last = found.at(-1)!;
      return { value: largest, baseline: last.appendedBytes / last.liveBytes };
    },
  };
}

const listChurns = new Map<number, Promise<Footprint[]>>();

/** One run serves several figures. */
function listChurnOf(updates: number): Promise<Footprint[]> {
  const looks = Array.from({ length: updates / lookEvery }, (_, i) => (i + 1) * lookEvery);
  const run = listChurns.get(updates) ?? churnList({ items: 10_000, store: 'lmdb', looks });
  listChurns.set(updates, run);
  return run;
}

/** What the node of {@link listChurn} holds in memory at its end; beside it after 100,000 updates. */
function listHeap(updates: number, onlyInFull: boolean): Bench {
  return {
    name: `list/heap-flat/lmdb/${updates / 1000}k-updates`,
    unit: 'MiB',
    onlyInFull,
    run: async () => {
      const found = await listChurnOf(updates);
      const early = found.find((look) => look.updates >= 100_000)!;
      return { value: found.at(-1)!.memoryBytes / 2 ** 20, baseline: early.memoryBytes / 2 ** 20 };
    },
  };
}

const churned = [
  [200_000, false],
  [1_000_000, true],
] as const;

export default [
  ...churned.flatMap(([updates, full]) => [
    ...(['usedBytes', 'fileBytes', 'snapshotBytes'] as const).map((what) => listChurn(what, updates, full)),
    listHeap(updates, full),
  ]),
  ...[1, 64, 1024].map(append),
  ...[100_000, 1_000_000].flatMap((count) => [reopen(count, 'open'), reopen(count, 'open-and-read')]),
  redaction,
  disk,
  amplification,
];
