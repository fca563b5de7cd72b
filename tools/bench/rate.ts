import type { Effort } from './bench.js';

/** The middle of some numbers; of an even count, the lower of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  if (middle === undefined) throw new RangeError('The median of nothing is not defined.');
  return middle;
}

/**
 * How often some synchronous work is done in a second.
 *
 * The work is run in batches that grow until one takes some ten milliseconds, so that looking at the clock costs
 * nothing; the growing is the warm-up.
 *
 * @param work does one unit of work; what it returns is kept alive so that the engine cannot drop the work
 */
export function operationsPerSecond(work: () => unknown, { seconds }: Pick<Effort, 'seconds'>): number {
  let batch = 1;
  for (let tookMs = 0; tookMs < 10; batch *= 2) tookMs = timeMs(work, batch);
  const endMs = performance.now() + seconds * 1000;
  let count = 0;
  let spentMs = 0;
  do {
    spentMs += timeMs(work, batch);
    count += batch;
  } while (performance.now() < endMs);
  return (count / spentMs) * 1000;
}

/**
 * Measures several kinds of work in turn, repeat by repeat, so that a machine that slows down slows all of them.
 *
 * @returns the median rate of each, in the order given
 */
export function comparedRates(works: readonly (() => unknown)[], { seconds, repeats }: Effort): number[] {
  const rates: number[][] = works.map(() => []);
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const [index, work] of works.entries()) rates[index]?.push(operationsPerSecond(work, { seconds }));
  }
  return rates.map(median);
}

let kept: unknown;

function timeMs(work: () => unknown, times: number): number {
  const begin = performance.now();
  for (let i = 0; i < times; i++) kept = work();
  const end = performance.now();
  return kept === neverKept ? 0 : end - begin;
}

const neverKept = Symbol('never kept');
