/** Runs tasks with a bound on how many are under way; the others wait in the order in which they came. */
export class Lane {
  readonly #limit: number;
  #waiting: (() => void)[] = [];
  #head = 0;
  #running = 0;

  /** @param limit tasks under way at once, from 1 */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Tasks under way or waiting. */
  get size(): number {
    return this.#running + this.#waiting.length - this.#head;
  }

  /** Runs a task when its turn comes, and gives its result. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await task();
    } finally {
      this.#next();
    }
  }

  /** Hands the place over to the next one that waits. */
  #next(): void {
    const next = this.#waiting[this.#head];
    if (next === undefined) {
      this.#running--;
      return;
    }
    this.#head++;
    if (this.#head > 1024 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    next();
  }
}
