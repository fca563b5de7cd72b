import type { Clock, Timer } from '../ports/clock.js';

interface Scheduled {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
  cancelled: boolean;
}

/** Lets every promise reaction that is ready run, and those that they make ready. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Virtual time: it stands still until it is told to advance, and then jumps from timer to timer. What is due at the same
 * moment runs in the order in which it was asked for, so a run depends on nothing but its inputs. Between two callbacks
 * every promise reaction runs to its end.
 *
 * @example
 * const clock = new SimulatedClock();
 * clock.setTimer(1000, () => console.log('a virtual second later'));
 * await clock.advance(1000);
 */
export class SimulatedClock implements Clock {
  #now = 0;
  #order = 0;
  #wallOffset: number;
  #deferred: (() => void)[] = [];
  readonly #timers = new TimerHeap();
  #advancing = false;

  /** @param wallStartMs Unix milliseconds at virtual time 0 */
  constructor(wallStartMs = Date.UTC(2026, 0, 1)) {
    this.#wallOffset = wallStartMs;
  }

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#wallOffset + this.#now;
  }

  /** Lets the wall clock jump, by any number of milliseconds; monotonic time stays. */
  stepWall(byMs: number): void {
    this.#wallOffset += byMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer: Scheduled = {
      at: this.#now + Math.max(0, delayMs),
      order: this.#order++,
      callback,
      cancelled: false,
    };
    this.#timers.push(timer);
    return {
      cancel: () => {
        timer.cancelled = true;
      },
    };
  }

  defer(callback: () => void): void {
    this.#deferred.push(callback);
  }

  /**
   * Advances by `ms`, running all that falls due.
   *
   * @throws Error when called while another call is still running
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.#run(end, () => false);
  }

  /**
   * Advances until `condition` holds; checked after each turn.
   *
   * @returns the virtual milliseconds that it took
   * @throws Error when it does not hold within `limitMs`
   */
  async advanceUntil(condition: () => boolean, limitMs: number): Promise<number> {
    const begin = this.#now;
    if (!(await this.#run(begin + limitMs, condition))) {
      throw new Error(`the condition did not hold within ${limitMs} virtual ms`);
    }
    return this.#now - begin;
  }

  /** Advances until `promise` settles, and gives its result. @throws its rejection, or Error after `limitMs` */
  async resolve<T>(promise: Promise<T>, limitMs: number): Promise<T> {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    await this.advanceUntil(() => settled, limitMs);
    return promise;
  }

  async #run(end: number, done: () => boolean): Promise<boolean> {
    if (this.#advancing) throw new Error('this clock is being advanced already');
    this.#advancing = true;
    try {
      await settle();
      while (!done()) {
        if (this.#deferred.length > 0) {
          const turn = this.#deferred;
          this.#deferred = [];
          for (const callback of turn) callback();
        } else {
          const timer = this.#timers.peek();
          if (timer === undefined || timer.at > end) {
            this.#now = Math.max(this.#now, end);
            return done();
          }
          this.#timers.pop();
          if (timer.cancelled) continue;
          this.#now = timer.at;
          timer.callback();
        }
        await settle();
      }
      return true;
    } finally {
      this.#advancing = false;
    }
  }
}

/** A binary heap of timers, by time and then by order. */
class TimerHeap {
  readonly #items: Scheduled[] = [];

  peek(): Scheduled | undefined {
    return this.#items[0];
  }

  push(timer: Scheduled): void {
    const items = this.#items;
    let i = items.push(timer) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = items[parent]!;
      if (!before(timer, above)) break;
      items[i] = above;
      i = parent;
    }
    items[i] = timer;
  }

  pop(): void {
    const items = this.#items;
    const last = items.pop();
    if (last === undefined || items.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && before(items[child + 1]!, items[child]!)) child++;
      if (!before(items[child]!, last)) break;
      items[i] = items[child]!;
      i = child;
    }
    items[i] = last;
  }
}

function before(a: Scheduled, b: Scheduled): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
