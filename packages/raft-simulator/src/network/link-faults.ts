/** What goes wrong between any two servers at the moment. Chances are per message and direction. */
export interface LinkFaults {
  /** Mean delay; each message draws its own, so messages overtake each other. */
  delayMs: number;
  loss: number;
  duplication: number;
  /** Chance of a delay of up to `longDelayMs`. */
  longDelay: number;
  longDelayMs: number;
}

/** Directions in which nothing passes, and servers that hear everything late. */
export class Cuts {
  readonly #cut = new Set<string>();
  readonly #lags = new Map<string, number>();

  get any(): boolean {
    return this.#cut.size > 0;
  }

  passes(from: string, to: string): boolean {
    return this.#cut.size === 0 || !this.#cut.has(`${from}>${to}`);
  }

  /** Nothing goes from `from` to `to` any more; the other way stays as it is. */
  cutOneWay(from: string, to: string): void {
    this.#cut.add(`${from}>${to}`);
  }

  cut(a: string, b: string): void {
    this.cutOneWay(a, b);
    this.cutOneWay(b, a);
  }

  /** Only servers of the same group reach each other; one that stands in several groups is a bridge. */
  partition(groups: readonly (readonly string[])[], all: readonly string[]): void {
    for (const a of all) {
      for (const b of all) {
        if (a < b && !groups.some((group) => group.includes(a) && group.includes(b))) this.cut(a, b);
      }
    }
  }

  /** What is sent to `to` arrives so much later. */
  lag(to: string, ms: number): void {
    this.#lags.set(to, ms);
  }

  lagMs(to: string): number {
    return this.#lags.size === 0 ? 0 : (this.#lags.get(to) ?? 0);
  }

  heal(): void {
    this.#cut.clear();
    this.#lags.clear();
  }
}
