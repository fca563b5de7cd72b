import type { LogIndex, Term } from '@discovery-raft/raft-core';

/**
 * How an operation ended for its client.
 *
 * - `ok`: acknowledged;
 * - `failed`: certainly without effect, now and later;
 * - `unknown`: it may have happened, or may still happen;
 * - `open`: no answer yet.
 */
export type Outcome = 'open' | 'ok' | 'failed' | 'unknown';

/** One call of a client. */
export interface Operation {
  readonly id: number;
  readonly client: string;
  /** The server that was asked. */
  readonly server: string;
  readonly kind: 'write' | 'read' | 'barrier' | 'verifyLeader';
  readonly key: string;
  /** The batch that it is a part of; 0 for none. */
  readonly batch: number;
  /** What a write writes; what a read read, null for nothing. */
  value: string | null;
  /** Moments of the history: each invocation and each completion has its own, in order. */
  readonly invokedAt: number;
  completedAt: number;
  outcome: Outcome;
  /** For `ok`: where the entry stands; for a read, how far the state machine was. */
  index: LogIndex;
  term: Term;
  /** For a write that is `ok`: the state machine's response. */
  previous: string | null;
  /** What readIndex resolved with. */
  readIndex: LogIndex;
  /** Error code when it did not succeed. */
  error: string;
}
