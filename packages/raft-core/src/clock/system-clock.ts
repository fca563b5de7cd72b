import type { Clock, Timer } from '../ports/clock.js';

/** The longest that a timer of the machine runs; one that is set to more fires at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** The machine's own time and event loop. Its timers keep the process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimer(delayMs, callback): Timer {
    let handle: ReturnType<typeof setTimeout>;
    const wait = (ms: number): void => {
      handle = ms > MAX_TIMEOUT_MS ? setTimeout(wait, MAX_TIMEOUT_MS, ms - MAX_TIMEOUT_MS) : setTimeout(callback, ms);
    };
    wait(Math.max(0, Math.ceil(delayMs)));
    return { cancel: () => clearTimeout(handle) };
  },
  defer(callback) {
    setImmediate(callback);
  },
};
