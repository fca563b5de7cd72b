import type { Clock } from '@discovery-raft/raft-core';

/** The promise's value, or undefined when it takes longer. The promise itself goes on. */
export function within<T>(clock: Clock, timeoutMs: number, promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(timeoutMs, () => resolve(undefined));
    promise.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error);
      },
    );
  });
}

/** Resolves after `delayMs`, or as soon as a signal fires. */
export function pause(clock: Clock, delayMs: number, signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      timer.cancel();
      for (const signal of signals) signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.setTimer(delayMs, end);
    for (const signal of signals) {
      signal.addEventListener('abort', end);
      if (signal.aborted) end();
    }
  });
}
