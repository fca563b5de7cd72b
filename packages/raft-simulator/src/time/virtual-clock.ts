/** Something that is due; kept to call it off. */
export interface Scheduled {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
  cancelled: boolean;
}

/** Turns handed to the event loop at once; see {@link VirtualClock.run}. */
const TURNS_AT_ONCE = 64;

/**
 * The simulation's own time. It jumps from one thing that is due to the next; what is due at the same moment runs in the
 * order in which it was asked for. Between two of them every promise reaction runs to its end, as in a real event loop.
 *
 * raft-core's SimulatedClock waits for a whole turn of Node's event loop between two callbacks. Here a batch of turns is
 * handed to `setImmediate`: Node drains the promise reactions between two immediates of one batch too, and a turn costs a
 * third.
 */
export class VirtualClock {
  #now = 0;
  #order = 0;
  readonly #heap: Scheduled[] = [];

  /** Virtual milliseconds since the simulation began. */
  get now(): number {
    return this.#now;
  }

  /** Calls back `delayMs` from now, not before what is due at that moment already. */
  schedule(delayMs: number, callback: () => void): Scheduled {
    const item: Scheduled = { at: this.#now + Math.max(0, delayMs), order: this.#order++, callback, cancelled: false };
    this.#push(item);
    return item;
  }

  /**
   * Runs what is due until `endMs`, or until `done` holds.
   *
   * @param settled called after each turn, when no promise reaction is left
   * @param done asked after `settled`
   */
  run(endMs: number, settled: () => void, done: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let over = false;
      const turn = (): void => {
        if (over) return;
        try {
          settled();
          const item = done() ? undefined : this.#next(endMs);
          if (item !== undefined) return item.callback();
          if (!done()) this.#now = Math.max(this.#now, endMs);
          over = true;
          resolve();
        } catch (error) {
          over = true;
          reject(error);
        }
      };
      const batch = (): void => {
        if (over) return;
        for (let i = 0; i < TURNS_AT_ONCE; i++) setImmediate(turn);
        setImmediate(batch);
      };
      setImmediate(batch);
    });
  }

  #next(endMs: number): Scheduled | undefined {
    for (;;) {
      const item = this.#heap[0];
      if (item === undefined || item.at > endMs) return undefined;
      this.#pop();
      if (item.cancelled) continue;
      this.#now = item.at;
      return item;
    }
  }

  #push(item: Scheduled): void {
    const heap = this.#heap;
    let i = heap.push(item) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent]!;
      if (!before(item, above)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = item;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
  }
}

function before(a: Scheduled, b: Scheduled): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
