import type { WallClock } from '../ports.js';

/** What {@link within} gives when the time is over. */
export const LATE = Symbol('late');

/**
 * The promise's result, or {@link LATE} once the wall clock has reached `untilSeconds`. A rejection passes through; one
 * that comes too late is dropped.
 */
export function within<T>(clock: WallClock, untilSeconds: number, promise: Promise<T>): Promise<T | typeof LATE> {
  return new Promise((resolve, reject) => {
    const cancel = clock.setTimerAt(untilSeconds, () => resolve(LATE));
    promise.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error: unknown) => {
        cancel();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
