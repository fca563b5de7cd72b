import type { Effect, Failure } from '../core/effects.js';
import { RaftError, type ProposalOutcome, type RaftErrorCode } from '../core/errors.js';
import type { Proposal } from '../core/inputs.js';
import type { RaftConfig } from '../core/options.js';
import { EntryType, proposalSize, type LogIndex, type Term } from '../core/types.js';
import type { Clock, Timer } from '../ports/clock.js';
import { BatchWaiter } from './batch-waiter.js';
import { PendingProposals, type Applied, type Waiter } from './pending-proposals.js';
import type { ApplyOptions, CallOptions } from './raft-options.js';

/** What the queue needs of its node. */
export interface ProposalPorts {
  readonly clock: Clock;
  /** Bytes of proposals that may wait for the next turn, by `entrySize`. */
  readonly maxWaitingBytes: number;
  /** How long proposals of a leadership that is over wait to learn what became of them, milliseconds. */
  readonly outcomeGraceMs: number;
  /** Hands a batch to the core. */
  submit(proposals: readonly Proposal[]): void;
  /** Makes an error that also names the leader. */
  error(failure: Failure): RaftError;
}

/** A proposal that is not in the log yet, and who waits for it: one object, since there is one for every command. */
class OpenProposal<Response> implements Proposal, Waiter<Response> {
  readonly id: number;
  readonly type: Proposal['type'];
  readonly data: Uint8Array;
  readonly extensions: Uint8Array | undefined;
  readonly batchSize: number | undefined;
  readonly resolve: Waiter<Response>['resolve'];
  readonly reject: Waiter<Response>['reject'];

  constructor(
    id: number,
    type: Proposal['type'],
    data: Uint8Array,
    extensions: Uint8Array | undefined,
    batchSize: number | undefined,
    resolve: Waiter<Response>['resolve'],
    reject: Waiter<Response>['reject'],
  ) {
    this.id = id;
    this.type = type;
    this.data = data;
    this.extensions = extensions;
    this.batchSize = batchSize;
    this.resolve = resolve;
    this.reject = reject;
  }
}

/**
 * Proposals from the call to their outcome. Those that are made in one turn of the event loop go to the core as one
 * batch. Every one settles, whatever ends the call, the leadership or the node.
 */
export class ProposalQueue<Response> {
  readonly #ports: ProposalPorts;
  readonly #pending = new PendingProposals<Response>();
  /** Changes of the membership, of which the core has not said yet what it does with them. */
  readonly #submitted = new Map<number, Waiter<Response>>();
  /** One for each leadership that ended, so that none puts another off. */
  readonly #graceTimers = new Set<Timer>();
  #unflushed: OpenProposal<Response>[] = [];
  /** Those that the core is being given, and how many of them it has answered: the first ones. */
  #flushing: readonly OpenProposal<Response>[] = [];
  #answered = 0;
  #unflushedBytes = 0;
  #flushScheduled = false;
  #ids = 0;
  /** The newest leadership in which something was proposed. */
  #leadership = 0;

  /** What settles the promise that is just being made. */
  #resolve: Waiter<Response>['resolve'] = () => undefined;
  #reject: Waiter<Response>['reject'] = () => undefined;
  /** One function for every promise, and not one a promise: a commit costs 120 bytes less. */
  readonly #keepSettlers = (
    resolve: (applied: Applied<Response>) => void,
    reject: (error: RaftError) => void,
  ): void => {
    this.#resolve = resolve;
    this.#reject = reject;
  };

  constructor(ports: ProposalPorts) {
    this.#ports = ports;
  }

  /** Proposals that are not settled. */
  get size(): number {
    return this.#pending.size + this.#unflushed.length + this.#submitted.size;
  }

  /** Takes a proposal; see `Raft.apply` for how it may end. */
  propose(type: Proposal['type'], data: Uint8Array, options: ApplyOptions): Promise<Applied<Response>> {
    const { extensions, timeoutMs, signal } = options;
    const promise = new Promise<Applied<Response>>(this.#keepSettlers);
    let resolve = this.#resolve;
    let reject = this.#reject;
    if (timeoutMs !== undefined || signal !== undefined) {
      const waiter = this.#limit({ resolve, reject }, this.#ids + 1, 1, options);
      if (waiter === null) return promise;
      resolve = (applied) => waiter.resolve(applied);
      reject = (error) => waiter.reject(error);
    }
    const refused = this.proposeThen(type, data, extensions, resolve, reject);
    if (refused !== null) reject(refused);
    return promise;
  }

  /**
   * The same without a promise.
   *
   * @param resolve one of the two is called once, later, unless it is refused
   * @returns why it is refused
   */
  proposeThen(
    type: Proposal['type'],
    data: Uint8Array,
    extensions: Uint8Array | undefined,
    resolve: Waiter<Response>['resolve'],
    reject: Waiter<Response>['reject'],
  ): RaftError | null {
    const size = proposalSize(data, extensions);
    if (!this.#hasRoom(size)) return this.#overloaded();
    this.#unflushed.push(new OpenProposal(++this.#ids, type, data, extensions, undefined, resolve, reject));
    this.#flushLater(size);
    return null;
  }

  /** Takes commands that are appended together or not at all; see `Raft.applyBatch` for how they may end. */
  proposeBatch(datas: readonly Uint8Array[], options: ApplyOptions): Promise<readonly Applied<Response>[]> {
    return new Promise((resolve, reject) => {
      const { extensions } = options;
      let size = 0;
      for (const data of datas) size += proposalSize(data, extensions);
      if (!this.#hasRoom(size)) return reject(this.#overloaded());
      const firstId = this.#ids + 1;
      const waiter = this.#limit(new BatchWaiter(datas.length, { resolve, reject }), firstId, datas.length, options);
      if (waiter === null) return;
      const settle = (applied: Applied<Response>): void => waiter.resolve(applied);
      const fail = (error: RaftError): void => waiter.reject(error);
      datas.forEach((data, i) => {
        const batchSize = i === 0 ? datas.length : undefined;
        this.#unflushed.push(
          new OpenProposal(++this.#ids, EntryType.command, data, extensions, batchSize, settle, fail),
        );
      });
      this.#flushLater(size);
    });
  }

  /**
   * Asks the core for something that it answers like a proposal: a change of the membership.
   *
   * @param submit hands it to the core under this id
   */
  request(submit: (id: number) => void, options: CallOptions): Promise<Applied<Response>> {
    return new Promise((resolve, reject) => {
      const id = ++this.#ids;
      const waiter = this.#limit({ resolve, reject }, id, 1, options);
      if (waiter === null) return;
      this.#submitted.set(id, waiter);
      submit(id);
    });
  }

  /** The core appended proposals in leadership `epoch`. */
  appended({ ids, firstIndex, term }: Extract<Effect, { type: 'proposed' }>, epoch: number): void {
    this.#leadership = epoch;
    const proposals = this.#takeFlushed(ids);
    if (proposals !== null) return this.#pending.add(firstIndex, term, epoch, proposals);
    for (const id of ids) {
      const waiter = this.#take(id);
      if (waiter !== undefined) this.#pending.add(firstIndex, term, epoch, [waiter]);
    }
  }

  /** The core refused proposals. */
  refused({ ids, outcome, failure }: Extract<Effect, { type: 'refuseProposals' }>): void {
    const waiters = this.#takeFlushed(ids) ?? ids.map((id) => this.#take(id));
    for (const waiter of waiters) waiter?.reject(this.#error(failure.code, failure.message, outcome));
  }

  /** An entry was applied here. */
  applied(index: LogIndex, term: Term, response: Response): void {
    this.#pending.settle(index, term, response);
  }

  /** A snapshot took the place of everything up to `index`. */
  passed(index: LogIndex): void {
    this.#pending.passed(index);
  }

  /** What was proposed may still turn out to be committed, or to be lost; but it does not wait for ever. */
  leadershipEnded(): void {
    const epoch = this.#leadership;
    const timer = this.#ports.clock.setTimer(this.#ports.outcomeGraceMs, () => {
      this.#graceTimers.delete(timer);
      this.#pending.giveUp(epoch);
    });
    this.#graceTimers.add(timer);
  }

  /** The node stops. */
  stop(): void {
    for (const timer of this.#graceTimers) timer.cancel();
    this.#graceTimers.clear();
    // What the core has been given may be in the log, here and at peers, though the node stops before the core has said so.
    const given = [...this.#flushing.slice(this.#answered), ...this.#submitted.values()];
    const unflushed = this.#unflushed;
    this.#flushing = [];
    this.#unflushed = [];
    this.#submitted.clear();
    for (const waiter of given) waiter.reject(this.#error('RAFT_SHUTDOWN', 'this node stopped', 'unknownOutcome'));
    for (const waiter of unflushed) waiter.reject(this.#error('RAFT_SHUTDOWN', 'this node stopped', 'notAppended'));
    this.#pending.giveUpAll('RAFT_SHUTDOWN');
  }

  #hasRoom(bytes: number): boolean {
    return this.#unflushedBytes + bytes <= this.#ports.maxWaitingBytes;
  }

  #overloaded(): RaftError {
    const message = `more than ${this.#ports.maxWaitingBytes} bytes were proposed in one turn of the event loop`;
    return this.#error('RAFT_OVERLOADED', message, 'notAppended');
  }

  #flushLater(bytes: number): void {
    this.#unflushedBytes += bytes;
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    this.#ports.clock.defer(() => this.#flush());
  }

  #flush(): void {
    this.#flushScheduled = false;
    const batch = this.#unflushed;
    this.#unflushedBytes = 0;
    if (batch.length === 0) return;
    this.#unflushed = [];
    this.#flushing = batch;
    this.#answered = 0;
    // The core answers each at once.
    this.#ports.submit(batch);
    this.#flushing = [];
  }

  /** The proposals of these ids, if they are the next of those that the core is being given; else null. */
  #takeFlushed(ids: readonly number[]): readonly OpenProposal<Response>[] | null {
    const flushing = this.#flushing;
    const begin = this.#answered;
    if (begin >= flushing.length || flushing[begin]!.id !== ids[0]) return null;
    this.#answered += ids.length;
    return ids.length === flushing.length ? flushing : flushing.slice(begin, this.#answered);
  }

  #take(id: number): Waiter<Response> | undefined {
    const waiter = this.#submitted.get(id);
    this.#submitted.delete(id);
    return waiter;
  }

  #error(code: RaftErrorCode, message: string, outcome: ProposalOutcome): RaftError {
    return this.#ports.error({ code, message, details: { outcome } });
  }

  /**
   * Gives a waiter the deadline and the abort signal of its call, until the last of its proposals is settled; null when it is
   * rejected already. The call's proposals are the `count` from `firstId` on.
   */
  #limit(
    waiter: Waiter<Response>,
    firstId: number,
    count: number,
    { timeoutMs, signal }: CallOptions,
  ): Waiter<Response> | null {
    if (timeoutMs === undefined && signal === undefined) return waiter;
    if (Number.isNaN(timeoutMs)) {
      waiter.reject(this.#error('RAFT_INVALID_OPTION', 'timeoutMs must be a number, not NaN', 'notAppended'));
      return null;
    }
    if (signal?.aborted) {
      waiter.reject(this.#error('RAFT_ABORTED', 'the caller aborted the call', 'notAppended'));
      return null;
    }
    let open = count;
    let timer: Timer | null = null;
    const end = (): void => {
      timer?.cancel();
      signal?.removeEventListener('abort', abort);
    };
    const giveUp = (code: RaftErrorCode, message: string): void => {
      end();
      waiter.reject(this.#error(code, message, this.#withdraw(firstId, count) ? 'notAppended' : 'unknownOutcome'));
    };
    const abort = (): void => giveUp('RAFT_ABORTED', 'the caller aborted the call');
    const expire = (): void => giveUp('RAFT_TIMEOUT', `the call took longer than ${timeoutMs} ms`);
    signal?.addEventListener('abort', abort, { once: true });
    if (timeoutMs !== undefined) timer = this.#ports.clock.setTimer(timeoutMs, expire);
    return {
      resolve: (applied) => {
        if (--open === 0) end();
        waiter.resolve(applied);
      },
      reject: (error) => {
        end();
        waiter.reject(error);
      },
    };
  }

  /** Takes proposals of one call back that have not gone to the core; false when they have. */
  #withdraw(firstId: number, count: number): boolean {
    const at = this.#unflushed.findIndex(({ id }) => id === firstId);
    if (at < 0) return false;
    for (const { data, extensions } of this.#unflushed.splice(at, count)) {
      this.#unflushedBytes -= proposalSize(data, extensions);
    }
    return true;
  }
}

/** The error for a command that can never be appended, however long one waits; null when it can. */
export function refuseEntry(
  data: Uint8Array,
  extensions: Uint8Array | undefined,
  { maxEntryBytes }: Pick<RaftConfig, 'maxEntryBytes'>,
): RaftError | null {
  const size = data.length + (extensions?.length ?? 0);
  if (size <= maxEntryBytes) return null;
  const message = `an entry of ${size} bytes is over maxEntryBytes (${maxEntryBytes})`;
  return new RaftError('RAFT_ENTRY_TOO_LARGE', message, { outcome: 'notAppended', size });
}

/** The same for commands that are to be appended together. */
export function refuseBatch(
  datas: readonly Uint8Array[],
  extensions: Uint8Array | undefined,
  config: Pick<RaftConfig, 'maxEntryBytes' | 'maxUncommittedBytes'>,
): RaftError | null {
  const { maxUncommittedBytes } = config;
  let total = 0;
  for (const data of datas) {
    total += proposalSize(data, extensions);
    const refused = refuseEntry(data, extensions, config);
    if (refused !== null) return refused;
  }
  if (total <= maxUncommittedBytes) return null;
  const message = `${datas.length} entries of ${total} bytes are over maxUncommittedBytes (${maxUncommittedBytes})`;
  return new RaftError('RAFT_ENTRY_TOO_LARGE', message, { outcome: 'notAppended', size: total });
}
