import { RaftError } from '../core/errors.js';
import type { MaybePromise } from '../ports/log-store.js';
import { isPending } from './maybe-promise.js';

/**
 * Calls a store; whatever it throws or rejects with that is no {@link RaftError} becomes one.
 *
 * @param what the call, as the error's message names it
 * @throws RaftError RAFT_STORE_FAILED, or the store's own
 */
export function storeCall<T>(what: string, call: () => MaybePromise<T>): MaybePromise<T> {
  const refuse = (cause: unknown): never => {
    throw toStoreError(what, cause);
  };
  try {
    const result = call();
    return isPending(result) ? result.then((value) => value, refuse) : result;
  } catch (error) {
    return refuse(error);
  }
}

/** {@link storeCall} for what a store gives one by one. What is thrown by who walks through it stays as it is. */
export function* storeWalk<T>(what: string, walk: () => Iterable<T>): Generator<T, void> {
  try {
    yield* walk();
  } catch (cause) {
    throw toStoreError(what, cause);
  }
}

function toStoreError(what: string, cause: unknown): RaftError {
  return cause instanceof RaftError ? cause : new RaftError('RAFT_STORE_FAILED', `${what} failed`, {}, cause);
}
