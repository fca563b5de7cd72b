import type { ServerId, Term } from '../core/types.js';
import type { MaybePromise } from './log-store.js';

/** What must survive a crash before any message that rests on it leaves (Raft paper, figure 2). */
export interface HardState {
  readonly term: Term;
  /** Whom this node voted for in `term`; null for nobody yet. */
  readonly votedFor: ServerId | null;
}

/** Where term and vote live. */
export interface StableStore {
  /** The last saved state, null for a new store. */
  load(): MaybePromise<HardState | null>;
  /** Durable when it resolves. */
  save(state: HardState): MaybePromise<void>;
  close(): MaybePromise<void>;
}
