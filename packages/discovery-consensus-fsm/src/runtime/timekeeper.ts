import type { ConsensusClock } from '../ports.js';

/** The shortest timer, seconds: a time of day that is a rounding error away must not keep the loop busy. */
const SHORTEST_TIMER_SECONDS = 0.001;

/**
 * A node's two ways to tell time, in seconds. The time of day decides what the network agrees upon: when slots begin and
 * what is valid. It can be set while the node runs, so whatever only has to last is measured by `elapsed`.
 */
export class Timekeeper {
  readonly #clock: ConsensusClock;
  /** Wall time less elapsed time at the last look. */
  #offset: number | undefined;

  constructor(clock: ConsensusClock) {
    this.#clock = clock;
  }

  /** Unix seconds by the wall clock, with a fraction. */
  wallNow(): number {
    return this.#clock.wallNow() / 1000;
  }

  /** Seconds since some moment; never goes back, whatever becomes of the wall clock. */
  elapsed(): number {
    return this.#clock.now() / 1000;
  }

  /** What `elapsed` shows, or showed, when the wall clock as it goes now shows `unixSeconds`. */
  elapsedAt(unixSeconds: number): number {
    return this.elapsed() + unixSeconds - this.wallNow();
  }

  /** How far the wall clock has gone ahead of elapsed time since the last call: about 0, unless it was set. 0 at the first call. */
  takeAdjustment(): number {
    const offset = this.wallNow() - this.elapsed();
    const before = this.#offset ?? offset;
    this.#offset = offset;
    return offset - before;
  }

  /**
   * Calls back once, `seconds` from now by `elapsed`.
   *
   * @returns calls the timer off; idempotent
   */
  setTimer(seconds: number, callback: () => void): () => void {
    const timer = this.#clock.setTimer(Math.max(SHORTEST_TIMER_SECONDS, seconds) * 1000, callback);
    return () => timer.cancel();
  }
}
