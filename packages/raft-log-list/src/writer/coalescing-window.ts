import type { Clock, Timer } from '@discovery-raft/raft-core';

/**
 * Waits the same time for each of many things, with one timer: since all wait equally long, they fall due in the order
 * in which they came.
 */
export class CoalescingWindow<T> {
  /** How long each waits. */
  readonly waitMs: number;
  readonly #clock: Clock;
  readonly #due: (item: T) => void;
  #waiting: { readonly item: T; readonly dueAtMs: number }[] = [];
  #head = 0;
  #timer: Timer | undefined;

  /** @param due called once for each item, when its time is over or at {@link flush} */
  constructor(clock: Clock, waitMs: number, due: (item: T) => void) {
    this.#clock = clock;
    this.waitMs = waitMs;
    this.#due = due;
  }

  add(item: T): void {
    this.#waiting.push({ item, dueAtMs: this.#clock.now() + this.waitMs });
    if (this.#timer === undefined) this.#arm();
  }

  /** Lets everything that waits fall due now, in order. */
  flush(): void {
    this.#release(Infinity);
  }

  /** Forgets everything. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#waiting = [];
    this.#head = 0;
  }

  #arm(): void {
    const next = this.#waiting[this.#head];
    if (next === undefined) return;
    this.#timer = this.#clock.setTimer(Math.max(0, next.dueAtMs - this.#clock.now()), () => {
      this.#timer = undefined;
      this.#release(this.#clock.now());
      if (this.#timer === undefined) this.#arm();
    });
  }

  #release(untilMs: number): void {
    for (;;) {
      const next = this.#waiting[this.#head];
      if (next === undefined || next.dueAtMs > untilMs) break;
      this.#head++;
      this.#due(next.item);
    }
    if (this.#head === this.#waiting.length || this.#head >= 4096) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }
}
