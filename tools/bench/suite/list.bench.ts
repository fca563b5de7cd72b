import type { Bench, Effort, Measurement } from '../bench.js';
import { BenchList } from '../list/bench-list.js';
import { churnList, type ChurnPlan } from '../list/churn.js';
import { packetBytes } from '../list/items.js';
import { median } from '../rate.js';

/** Small packets, so that a million of them leaves room; a list never looks into them. */
const flatPacketBytes = 200;
const smallest = 1000;
const views = 2000;

/** Refreshes a second, several lists in turn. */
async function updateRates(lists: readonly BenchList[], { seconds, repeats }: Effort): Promise<number[]> {
  const rates: number[][] = lists.map(() => []);
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const [i, list] of lists.entries()) {
      const begin = performance.now();
      let updates = 0;
      while (performance.now() < begin + seconds * 1000) updates += await list.updateBatch();
      rates[i]!.push((updates / (performance.now() - begin)) * 1000);
    }
  }
  for (const list of lists) await list.end();
  return rates.map(median);
}

/** Refreshes of live items: insert the new packet, delete the original. Beside it the same on a list of a thousand. */
function update(items: number): Bench {
  return {
    name: `list/update/${items}`,
    unit: 'update/s',
    run: async ({ effort }) => {
      const [small, large] = [
        await BenchList.of(smallest, flatPacketBytes),
        await BenchList.of(items, flatPacketBytes),
      ];
      const [baseline, value = NaN] = await updateRates([small, large], effort);
      return { value, baseline };
    },
  };
}

/** Refreshes of packets as large as real ones. */
const realUpdates: Bench = {
  name: `list/update-${packetBytes}B/10000`,
  unit: 'update/s',
  run: async ({ effort }) => ({ value: (await updateRates([await BenchList.of(10_000, packetBytes)], effort))[0]! }),
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
  realUpdates,
  ...[100_000, 1_000_000].map(view),
  viewOrSort,
  heap('memory', 100_000, 300_000, false),
  heap('memory', 100_000, 1_000_000, true),
];
