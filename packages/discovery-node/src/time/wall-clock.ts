import type { WallClock } from '@discovery-raft/discovery-consensus-fsm';
import type { Clock } from '@discovery-raft/raft-core';

/** Longest sleep before the wall clock is looked at again: it may have been set meanwhile. */
const MAX_SLEEP_MS = 1000;

/** The time of day of a {@link Clock}; its timers follow the wall clock when that is set. */
export function wallClockOf(clock: Clock): WallClock {
  return {
    now: () => clock.wallNow() / 1000,
    setTimerAt(unixSeconds, callback) {
      let cancelled = false;
      let timer = arm();
      function arm(): { cancel(): void } {
        const waitMs = unixSeconds * 1000 - clock.wallNow();
        return clock.setTimer(Math.min(Math.max(0, waitMs), MAX_SLEEP_MS), () => {
          if (cancelled) return;
          if (clock.wallNow() >= unixSeconds * 1000) callback();
          else timer = arm();
        });
      }
      return () => {
        cancelled = true;
        timer.cancel();
      };
    },
  };
}

interface ManualTimer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A time of day that stands still until it is told to go on: for demonstrations and tests of a whole day. */
export class ManualWallClock implements WallClock {
  #now: number;
  #order = 0;
  readonly #timers = new Set<ManualTimer>();

  /** @param startSeconds Unix seconds */
  constructor(startSeconds: number) {
    this.#now = startSeconds;
  }

  now(): number {
    return this.#now;
  }

  setTimerAt(unixSeconds: number, callback: () => void): () => void {
    const timer: ManualTimer = { at: unixSeconds, order: this.#order++, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /**
   * Jumps to `unixSeconds` (never back) and calls what has fallen due, in order of time, as a machine does that wakes up:
   * all of it sees the new time, and what is asked for meanwhile is not called before the next jump.
   */
  jumpTo(unixSeconds: number): void {
    this.#now = Math.max(this.#now, unixSeconds);
    const due = [...this.#timers].filter(({ at }) => at <= this.#now);
    due.sort((a, b) => a.at - b.at || a.order - b.order);
    for (const timer of due) if (this.#timers.delete(timer)) timer.callback();
  }
}
