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

/** Proposals that were appended together, behind each other. */
interface Batch<Response> {
  readonly firstIndex: LogIndex;
  readonly term: Term;
  readonly epoch: number;
  readonly waiters: readonly Waiter<Response>[];
  /** How many of the waiters count; those behind were rejected. */
  size: number;
  /** How many of these are settled: the first ones. */
  settled: number;
}

/**
 * Proposals that are in the log and not applied yet. Every one is settled, whatever becomes of it. Since entries are applied
 * in order, a queue will do, and a batch costs one note.
 */
export class PendingProposals<Response> {
  /** By index, oldest first; those before `#head` are done, and gone: with them they would keep what was answered. */
  #batches: (Batch<Response> | undefined)[] = [];
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Proposals got the indexes from `firstIndex` on. What an earlier leadership had there is not in the log any more. */
  add(firstIndex: LogIndex, term: Term, epoch: number, waiters: readonly Waiter<Response>[]): void {
    for (;;) {
      const last = this.#head < this.#batches.length ? this.#batches.at(-1)! : undefined;
      if (last === undefined || last.epoch >= epoch || last.firstIndex + last.size <= firstIndex) break;
      this.#reject(last, Math.max(last.settled, firstIndex - last.firstIndex), 'RAFT_LEADERSHIP_LOST');
      if (last.size > last.settled) break;
      this.#batches.pop();
    }
    this.#batches.push({ firstIndex, term, epoch, waiters, size: waiters.length, settled: 0 });
    this.#size += waiters.length;
  }

  /** The entry at `index` was applied; if it is of another term, the proposal is lost. */
  settle(index: LogIndex, term: Term, response: Response): void {
    for (let batch = this.#due(index); batch !== undefined; batch = this.#due(index)) {
      const waiter = this.#takeFirst(batch);
      if (batch.term === term) waiter.resolve({ index, term, response });
      else waiter.reject(replaced(index, batch.term, term));
    }
  }

  /** A snapshot took the place of everything up to `index`. */
  passed(index: LogIndex): void {
    for (let batch = this.#due(index); batch !== undefined; batch = this.#due(index)) {
      const at = batch.firstIndex + batch.settled;
      this.#takeFirst(batch).reject(unknownOutcome('RAFT_LEADERSHIP_LOST', at));
    }
  }

  /** Gives up on what was proposed in leaderships up to `epoch`. */
  giveUp(epoch: number): void {
    this.#giveUp((batch) => batch.epoch <= epoch, 'RAFT_LEADERSHIP_LOST');
  }

  giveUpAll(code: RaftErrorCode): void {
    this.#giveUp(() => true, code);
  }

  #giveUp(condition: (batch: Batch<Response>) => boolean, code: RaftErrorCode): void {
    const batches = this.#batches.slice(this.#head) as Batch<Response>[];
    this.#batches = batches.filter((batch) => !condition(batch));
    this.#head = 0;
    for (const batch of batches) if (condition(batch)) this.#reject(batch, batch.settled, code);
  }

  /** Rejects the waiters of a batch from the given one on. */
  #reject(batch: Batch<Response>, from: number, code: RaftErrorCode): void {
    const end = batch.size;
    batch.size = from;
    this.#size -= end - from;
    for (let i = from; i < end; i++) batch.waiters[i]!.reject(unknownOutcome(code, batch.firstIndex + i));
  }

  /** The first batch, if somebody in it waits for an index up to this one. */
  #due(index: LogIndex): Batch<Response> | undefined {
    const batch = this.#batches[this.#head];
    return batch !== undefined && batch.firstIndex + batch.settled <= index ? batch : undefined;
  }

  /** Takes the first who still waits in the first batch. */
  #takeFirst(batch: Batch<Response>): Waiter<Response> {
    const waiter = batch.waiters[batch.settled]!;
    batch.settled++;
    this.#size--;
    if (batch.settled < batch.size) return waiter;
    this.#batches[this.#head++] = undefined;
    if (this.#head >= 256 && this.#head * 2 >= this.#batches.length) {
      this.#batches.splice(0, this.#head);
      this.#head = 0;
    }
    return waiter;
  }
}

function replaced(index: LogIndex, ours: Term, term: Term): RaftError {
  const message = `entry ${index} of term ${ours} was replaced by one of term ${term} after this node lost leadership`;
  return new RaftError('RAFT_LEADERSHIP_LOST', message, { outcome: 'lost', index });
}

function unknownOutcome(code: RaftErrorCode, index: LogIndex): RaftError {
  const why = code === 'RAFT_SHUTDOWN' ? 'this node stopped' : 'this node lost leadership';
  return new RaftError(code, `${why} before it knew whether entry ${index} was committed`, {
    outcome: 'unknownOutcome',
    index,
  });
}
