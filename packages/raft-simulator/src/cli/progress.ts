/** A line on standard error that says how far it is; nothing when that is no terminal. */
export class Progress {
  readonly #total: number;
  readonly #out: NodeJS.WriteStream;
  readonly #begin = performance.now();
  #shownAt = 0;

  constructor(total: number, out: NodeJS.WriteStream) {
    this.#total = total;
    this.#out = out;
  }

  /** Seeds per second so far. */
  rate(done: number): number {
    return done / Math.max(0.001, (performance.now() - this.#begin) / 1000);
  }

  show(done: number, note: string): void {
    const now = performance.now();
    if (!this.#out.isTTY || (now - this.#shownAt < 100 && done < this.#total)) return;
    this.#shownAt = now;
    const width = 30;
    const filled = Math.floor((done / this.#total) * width);
    const bar = '#'.repeat(filled) + '.'.repeat(width - filled);
    this.#out.write(`\r[${bar}] ${done}/${this.#total}  ${this.rate(done).toFixed(1)} seeds/s  ${note}`);
  }

  end(): void {
    if (this.#out.isTTY) this.#out.write('\n');
  }
}
