import { RaftError, type RaftErrorCode } from '../core/errors.js';
import type { LogIndex, Term } from '../core/types.js';

/** What a proposal resolves to. */
export interface Applied<Response> {
  readonly index: LogIndex;
  readonly term: Term;
  /** What the state machine returned; undefined for a barrier. */
  readonly response: Response;
}

/** Somebody who waits for a proposal. */
export interface Waiter<Response> {
  resolve(applied: Applied<Response>): void;
  reject(error: RaftError): void;
}

interface Appended<Response> {
  readonly term: Term;
  readonly epoch: number;
  readonly waiter: Waiter<Response>;
}

/** Proposals that are in the log and not applied yet. Every one is settled, whatever becomes of it. */
export class PendingProposals<Response> {
  readonly #byIndex = new Map<LogIndex, Appended<Response>>();

  get size(): number {
    return this.#byIndex.size;
  }

  add(index: LogIndex, term: Term, epoch: number, waiter: Waiter<Response>): void {
    this.#byIndex.get(index)?.waiter.reject(unknownOutcome('RAFT_LEADERSHIP_LOST', index));
    this.#byIndex.set(index, { term, epoch, waiter });
  }

  /** The entry at `index` was applied; if it is of another term, the proposal is lost. */
  settle(index: LogIndex, term: Term, response: Response): void {
    const pending = this.#byIndex.get(index);
    if (pending === undefined) return;
    this.#byIndex.delete(index);
    if (pending.term === term) pending.waiter.resolve({ index, term, response });
    else {
      const message = `entry ${index} of term ${pending.term} was replaced by one of term ${term} after this node lost leadership`;
      pending.waiter.reject(new RaftError('RAFT_LEADERSHIP_LOST', message, { outcome: 'lost', index }));
    }
  }

  /** A snapshot took the place of everything up to `index`. */
  passed(index: LogIndex): void {
    this.#rejectWhere((at) => at <= index, 'RAFT_LEADERSHIP_LOST');
  }

  /** Gives up on what was proposed in leaderships up to `epoch`. */
  giveUp(epoch: number): void {
    this.#rejectWhere((_, pending) => pending.epoch <= epoch, 'RAFT_LEADERSHIP_LOST');
  }

  giveUpAll(code: RaftErrorCode): void {
    this.#rejectWhere(() => true, code);
  }

  #rejectWhere(condition: (index: LogIndex, pending: Appended<Response>) => boolean, code: RaftErrorCode): void {
    for (const [index, pending] of this.#byIndex) {
      if (!condition(index, pending)) continue;
      this.#byIndex.delete(index);
      pending.waiter.reject(unknownOutcome(code, index));
    }
  }
}

function unknownOutcome(code: RaftErrorCode, index: LogIndex): RaftError {
  const why = code === 'RAFT_SHUTDOWN' ? 'this node stopped' : 'this node lost leadership';
  return new RaftError(code, `${why} before it knew whether entry ${index} was committed`, {
    outcome: 'unknownOutcome',
    index,
  });
}
