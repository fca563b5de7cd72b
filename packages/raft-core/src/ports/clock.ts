import type { MonotonicMs } from '../core/types.js';

/** A timer that can be called off. */
export interface Timer {
  /** Idempotent; after it, the callback is not called. */
  cancel(): void;
}

/** Time, and turns of the event loop. Virtual in tests and in the simulator. */
export interface Clock {
  /** Monotonic; only differences mean anything. */
  now(): MonotonicMs;
  /** Wall clock, Unix milliseconds; may jump. */
  wallNow(): number;
  /** Calls back once, not before `delayMs` from now. */
  setTimer(delayMs: number, callback: () => void): Timer;
  /** Calls back in a later turn of the event loop, in the order of the calls. */
  defer(callback: () => void): void;
}
