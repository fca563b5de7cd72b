import type { LogIndex, MonotonicMs } from '../core/types.js';
import type { Histogram } from './histogram.js';

/** When the batches of a leader were appended, until they are committed: one note a batch, whatever its size. */
export class BatchTimes {
  readonly #histogram: Histogram;
  #lastIndexes: LogIndex[] = [];
  #sizes: number[] = [];
  #times: MonotonicMs[] = [];
  #head = 0;

  /** @param histogram gets the milliseconds of each entry */
  constructor(histogram: Histogram) {
    this.#histogram = histogram;
  }

  appended(firstIndex: LogIndex, count: number, now: MonotonicMs): void {
    this.#lastIndexes.push(firstIndex + count - 1);
    this.#sizes.push(count);
    this.#times.push(now);
  }

  committed(index: LogIndex, now: MonotonicMs): void {
    while (this.#head < this.#lastIndexes.length && this.#lastIndexes[this.#head]! <= index) {
      this.#histogram.record(now - this.#times[this.#head]!, this.#sizes[this.#head]);
      this.#head++;
    }
    if (this.#head === this.#lastIndexes.length || this.#head > 1024) this.#forgetThrough(this.#head);
  }

  /** Leadership is over: what is left will be committed by another, or never. */
  clear(): void {
    this.#forgetThrough(this.#lastIndexes.length);
  }

  #forgetThrough(end: number): void {
    this.#lastIndexes.splice(0, end);
    this.#sizes.splice(0, end);
    this.#times.splice(0, end);
    this.#head = 0;
  }
}
