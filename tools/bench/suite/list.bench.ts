import type { Bench, Effort, Measurement } from '../bench.js';
import { collectedMemory } from '../heap.js';
import { BenchList } from '../list/bench-list.js';
import { churnList, type ChurnPlan } from '../list/churn.js';
import { packetBytes } from '../list/items.js';
import { PlainMap } from '../list/plain-map.js';
import { median } from '../rate.js';

/** Small packets, so that a million of them leaves room; a list never looks into them. */
const flatPacketBytes = 200;
const smallest = 1000;
const views = 2000;

/** Something whose items are refreshed in batches. */
interface Updated {
  /** @returns how many were refreshed */
  updateBatch(): number | Promise<number>;
}

/** Refreshes for each second of CPU time, all threads together. */
async function updateRates(updated: readonly Updated[], { seconds, repeats }: Effort): Promise<number[]> {
  const rates: number[][] = updated.map(() => []);
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const [i, one] of updated.entries()) {
      const begin = performance.now();
      const before = process.cpuUsage();
      let updates = 0;
      while (performance.now() < begin + seconds * 1000) updates += await one.updateBatch();
      const { user, system } = process.cpuUsage(before);
      rates[i]!.push((updates / (user + system)) * 1e6);
    }
  }
  return rates.map(median);
}

/**
 * Refreshes of live items: insert the new packet, delete the original. Beside it the same on a list of a thousand, in turn in
 * the same process.
 */
function update(items: number): Bench {
  return {
    name: `list/update/${items}`,
    unit: 'update/CPU-s',
    run: async ({ effort }) => {
      const [small, large] = [
        await BenchList.of(smallest, flatPacketBytes),
        await BenchList.of(items, flatPacketBytes),
      ];
      const [baseline, value = NaN] = await updateRates([small, large], effort);
      await small.end();
      await large.end();
      return { value, baseline };
    },
  };
}

/**
 * What the memory of the machine makes of it: a `Map` of as many names, each with a fresh object and a fresh packet as its
 * value, replaced at random. Nothing that keeps a packet an item in memory of its own is flatter. Beside it a map of a thousand.
 */
function plainMap(items: number): Bench {
  return {
    name: `list/plain-map/${items}`,
    unit: 'update/CPU-s',
    run: async ({ effort }) => {
      const maps = [new PlainMap(smallest, flatPacketBytes), new PlainMap(items, flatPacketBytes)];
      const [baseline, value = NaN] = await updateRates(maps, effort);
      return { value, baseline };
    },
  };
}

/** Memory that a record takes, with a packet and as many attestations as real ones. Beside it what it counts for. */
function memoryPerRecord(what: 'heap' | 'memory', records: number): Bench {
  return {
    name: `list/${what}-per-record/${records}`,
    unit: 'B',
    run: async () => {
      const before = collectedMemory();
      const { list } = await BenchList.of(records, packetBytes, 3);
      const after = collectedMemory();
      const heapBytes = after.heapBytes - before.heapBytes;
      const bytes = what === 'heap' ? heapBytes : heapBytes + after.bufferBytes - before.bufferBytes;
      return { value: bytes / list.size, baseline: list.liveBytes / list.size };
    },
  };
}

/** Refreshes of packets as large as real ones. */
const realUpdates: Bench = {
  name: `list/update-${packetBytes}B/10000`,
  unit: 'update/CPU-s',
  run: async ({ effort }) => {
    const list = await BenchList.of(10_000, packetBytes);
    const [value = NaN] = await updateRates([list], effort);
    await list.end();
    return { value };
  },
};

/** Nanoseconds of something done after each of many updates; the median. */
async function afterUpdates(list: BenchList, times: number, work: () => unknown): Promise<number> {
  const tookNs: number[] = [];
  for (let i = 0; i < times; i++) {
    await list.update();
    const begin = process.hrtime.bigint();
    const done = work();
    tookNs.push(Number(process.hrtime.bigint() - begin));
    if (done === undefined) throw new Error('There is no view.');
  }
  return median(tookNs);
}

/** A view of a list that has changed; beside it of a list of a thousand. */
function view(items: number): Bench {
  return {
    name: `list/view/${items}`,
    unit: 'ns',
    run: async () => {
      const [small, large] = [
        await BenchList.of(smallest, flatPacketBytes),
        await BenchList.of(items, flatPacketBytes),
      ];
      const timeOf = (list: BenchList): Promise<number> => afterUpdates(list, views, () => list.list.view());
      await timeOf(small);
      return { value: await timeOf(large), baseline: await timeOf(small) };
    },
  };
}

/** A view of 10,000 items; beside it the naive way, a sorted copy each time. */
const viewOrSort: Bench = {
  name: 'list/view-instead-of-sorting/10000',
  unit: 'ns',
  run: async () => {
    const bench = await BenchList.of(10_000, flatPacketBytes);
    const { list } = bench;
    const value = await afterUpdates(bench, views, () => list.view());
    const unsorted = [...list.entries()].toSorted((a, b) => a.index - b.index);
    const byIdentity = (a: { identity: string }, b: { identity: string }): number => (a.identity < b.identity ? -1 : 1);
    return { value, baseline: await afterUpdates(bench, 20, () => unsorted.toSorted(byIdentity)) };
  },
};

/** What list and log hold in memory after many updates of 10,000 items; beside it after fewer. */
function heap(store: ChurnPlan['store'], few: number, many: number, onlyInFull: boolean): Bench {
  return {
    name: `list/heap-flat/${store}/${many / 1000}k-updates`,
    unit: 'MiB',
    onlyInFull,
    run: async (): Promise<Measurement> => {
      const looks = [few, many];
      const [early, late] = await churnList({ items: 10_000, store, looks });
      return { value: late!.memoryBytes / 2 ** 20, baseline: early!.memoryBytes / 2 ** 20 };
    },
  };
}

export default [
  ...[10_000, 100_000, 1_000_000].map(update),
  ...[100_000, 1_000_000].map(plainMap),
  realUpdates,
  memoryPerRecord('heap', 100_000),
  memoryPerRecord('memory', 100_000),
  ...[100_000, 1_000_000].map(view),
  viewOrSort,
  heap('memory', 100_000, 300_000, false),
  heap('memory', 100_000, 1_000_000, true),
];
