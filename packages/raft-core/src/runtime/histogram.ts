/** What a histogram holds: how many values fell below or on each bound. Plain data; a copy. */
export interface HistogramReading {
  /** Upper bounds of the buckets, ascending, in the histogram's unit; a last bucket without a bound follows. */
  readonly bounds: readonly number[];
  /** Values in each bucket, not added up; one more than `bounds`. */
  readonly counts: readonly number[];
  /** Values in all. */
  readonly count: number;
  /** Their sum, in the histogram's unit. */
  readonly sum: number;
  /** The largest; 0 when there are none. */
  readonly max: number;
}

/** Counts values in fixed buckets. Recording allocates nothing. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #count = 0;
  #sum = 0;
  #max = 0;

  /** @param bounds of the buckets, ascending */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  /** Counts a value, as often as `times` says. */
  record(value: number, times = 1): void {
    let bucket = 0;
    while (bucket < this.#bounds.length && value > this.#bounds[bucket]!) bucket++;
    this.#counts[bucket]! += times;
    this.#count += times;
    this.#sum += value * times;
    if (value > this.#max) this.#max = value;
  }

  read(): HistogramReading {
    const counts = Array.from(this.#counts);
    return { bounds: this.#bounds, counts, count: this.#count, sum: this.#sum, max: this.#max };
  }
}
