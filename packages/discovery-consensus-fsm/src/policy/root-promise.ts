import type { RootPromise } from '../ports.js';
import { sameBytes } from './bytes.js';

/** Why a node does not sign a trust root. */
export type PromiseRefusal =
  /** It has signed another successor of the same root. */
  | 'alreadyPromised'
  /** It has signed a later root. */
  | 'stalePromise'
  /** The root before it is not in force yet: one change at a time. */
  | 'notInForce'
  /** Its activation has passed, or this node has signed a listing of a round from then on. */
  | 'tooLate';

/** What decides whether a root may be signed. Times are Unix seconds. */
export interface PromiseFacts {
  /** What this node promised last. */
  readonly held: RootPromise | null;
  /** Version of the root in force at this moment. */
  readonly presentVersion: number;
  /** Creation of the newest listing that this node signed; undefined for none. */
  readonly lastCreation: number | undefined;
  readonly now: number;
}

/** Why a root may not be signed; undefined when it may. The same one may be signed again. */
export function promiseRefusal(
  promise: RootPromise,
  { held, presentVersion, lastCreation, now }: PromiseFacts,
): PromiseRefusal | undefined {
  if (held !== null && held.version === promise.version) {
    return sameBytes(held.digest, promise.digest) ? undefined : 'alreadyPromised';
  }
  if (held !== null && held.version > promise.version) return 'stalePromise';
  if (promise.version !== presentVersion + 1) return 'notInForce';
  return promise.activation <= Math.max(now, lastCreation ?? 0) ? 'tooLate' : undefined;
}

/**
 * Whether a promise forbids to sign a listing by a root of this version. Only the last promise is kept, so it also stands for
 * those before it: the root before the promised one was in force when the promise was made, and what is older never is again.
 *
 * @param creation of the listing, Unix seconds
 */
export function promiseForbids(promise: RootPromise | null, rootVersion: number, creation: number): boolean {
  if (promise === null || rootVersion >= promise.version) return false;
  return creation >= promise.activation || rootVersion < promise.version - 1;
}
