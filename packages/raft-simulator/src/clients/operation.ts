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

/** Whether an operation sets its register: a restore sets them all, and is one operation for each. */
export function setsRegister({ kind }: Pick<Operation, 'kind'>): boolean {
  return kind === 'write' || kind === 'restore';
}

/** One call of a client. */
export interface Operation {
  readonly id: number;
  readonly client: string;
  /** The server that was asked. */
  readonly server: string;
  readonly kind: 'write' | 'read' | 'barrier' | 'verifyLeader' | 'restore';
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
