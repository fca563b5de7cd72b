import { ListError } from '../errors.js';
import type { ListResult } from '../shared-list.js';

/** For a write that the end of the term cut off. */
export function lostError(outcome: 'notAppended' | 'unknownOutcome'): ListError {
  return new ListError('LIST_LEADERSHIP_LOST', 'this node stopped leading before the write was applied', { outcome });
}

/** For an entry that was applied, but not as what it was meant. */
export function ignoredError(result: ListResult): ListError {
  const reason = result.kind === 'ignored' ? result.reason : result.kind;
  return new ListError('LIST_PROPOSAL_IGNORED', 'the entry was applied without effect', { reason });
}

/** Raft's errors say what became of the proposal; of any other, nothing is known. */
export function failedError(cause: unknown): ListError {
  const details = cause instanceof Error && 'details' in cause ? cause.details : undefined;
  const said = typeof details === 'object' && details !== null && 'outcome' in details ? details.outcome : undefined;
  const outcome = said === 'notAppended' || said === 'lost' ? said : 'unknownOutcome';
  return new ListError('LIST_PROPOSAL_FAILED', 'Raft rejected the write', { outcome }, cause);
}
