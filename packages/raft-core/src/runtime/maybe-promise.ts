import type { MaybePromise } from '../ports/log-store.js';

/** Whether a value is still to come. */
export function isPending<T>(value: MaybePromise<T>): value is Promise<T> {
  return value instanceof Promise || (typeof value === 'object' && value !== null && 'then' in value);
}

/** Runs jobs one after the other; at once as long as none of them is asynchronous. Stops at the first that fails. */
export function runInOrder(jobs: readonly (() => MaybePromise<void>)[], from = 0): MaybePromise<void> {
  for (let i = from; i < jobs.length; i++) {
    const result = jobs[i]!();
    if (isPending(result)) return result.then(() => runInOrder(jobs, i + 1));
  }
}
