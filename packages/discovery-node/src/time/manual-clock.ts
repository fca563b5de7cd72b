import type { ConsensusClock } from '@discovery-raft/discovery-consensus-fsm';

interface ManualTimer {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * A consensus' time that stands still until it is told to go on, deadlines and all: for demonstrations and tests of a
 * whole day. Raft beside it needs a clock that runs.
 */
export class ManualClock implements ConsensusClock {
  #nowMs: number;
  #order = 0;
  readonly #timers = new Set<ManualTimer>();

  /** @param startSeconds Unix seconds */
  constructor(startSeconds: number) {
    this.#nowMs = startSeconds * 1000;
  }

  /** Unix seconds. */
  get seconds(): number {
    return this.#nowMs / 1000;
  }

  now(): number {
    return this.#nowMs;
  }

  wallNow(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): { cancel(): void } {
    const timer: ManualTimer = { atMs: this.#nowMs + delayMs, order: this.#order++, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /**
   * Jumps to `unixSeconds` (never back) and calls what has fallen due, in order of time, as a machine does that wakes up:
   * all of it sees the new time, and what is asked for meanwhile is not called before the next jump.
   */
  jumpTo(unixSeconds: number): void {
    this.#nowMs = Math.max(this.#nowMs, unixSeconds * 1000);
    const due = [...this.#timers].filter(({ atMs }) => atMs <= this.#nowMs);
    due.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
    for (const timer of due) if (this.#timers.delete(timer)) timer.callback();
  }
}
