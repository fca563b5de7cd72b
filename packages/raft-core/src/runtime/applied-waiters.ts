import type { Failure } from '../core/effects.js';
import type { RaftError } from '../core/errors.js';
import type { LogIndex } from '../core/types.js';
import type { Clock } from '../ports/clock.js';
import type { Deferred } from './open-calls.js';

/** What the waiters need of their node. */
export interface AppliedPorts {
  readonly clock: Clock;
  readonly appliedIndex: () => LogIndex;
  /** Whether the state may be shown, see `Raft.readable`. */
  readonly readable: () => boolean;
  /** Makes an error that also names the leader. */
  readonly error: (failure: Failure) => RaftError;
}

const LOST: Failure = { code: 'RAFT_LEADERSHIP_LOST', message: 'this node lost leadership while it waited' };

/** Without a time limit only a leader waits, so only who has lost leadership meanwhile can be so. */
const UNREADABLE: Failure = {
  code: 'RAFT_LEADERSHIP_LOST',
  message: 'this node lost leadership, and has not applied what superseded redacted entries',
};

/** Those who wait until the state machine has applied an index. */
export class AppliedWaiters {
  readonly #ports: AppliedPorts;
  #waiting: { readonly index: LogIndex; readonly waiter: Deferred<LogIndex>; readonly limited: boolean }[] = [];

  constructor(ports: AppliedPorts) {
    this.#ports = ports;
  }

  /**
   * Resolves once `index` is applied and the state may be shown: a follower may hold tombstones by then whose successors it
   * has yet to apply, and with a time limit that is waited for too.
   *
   * @throws RaftError RAFT_TIMEOUT, RAFT_LEADERSHIP_LOST
   */
  through(index: LogIndex, limitMs = Infinity): Promise<LogIndex> {
    return new Promise((resolve, reject) => {
      const applied = this.#ports.appliedIndex() >= index;
      const readable = this.#ports.readable();
      if (!applied || (!readable && limitMs < Infinity)) this.#wait(index, { resolve, reject }, limitMs);
      else if (!readable) reject(this.#ports.error(UNREADABLE));
      else resolve(index);
    });
  }

  /** Everything up to `index` is applied. */
  advanced(index: LogIndex): void {
    if (this.#waiting.length === 0) return;
    this.#waiting = this.#waiting.filter(({ index: wanted, waiter, limited }) => {
      if (wanted > index) return true;
      if (this.#ports.readable()) waiter.resolve(wanted);
      else if (limited) return true;
      else waiter.reject(this.#ports.error(UNREADABLE));
      return false;
    });
  }

  /** Leadership ended: what is committed will be applied, of the rest nobody knows. */
  leadershipEnded(commitIndex: LogIndex): void {
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ index }) => index <= commitIndex);
    for (const { index, waiter } of waiting) if (index > commitIndex) waiter.reject(this.#ports.error(LOST));
  }

  rejectAll(error: RaftError): void {
    for (const { waiter } of this.#waiting) waiter.reject(error);
    this.#waiting = [];
  }

  #wait(index: LogIndex, waiter: Deferred<LogIndex>, limitMs: number): void {
    const waiting = { index, waiter, limited: limitMs < Infinity };
    this.#waiting.push(waiting);
    if (limitMs === Infinity) return;
    const timer = this.#ports.clock.setTimer(limitMs, () => {
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
      waiter.reject(this.#ports.error({ code: 'RAFT_TIMEOUT', message: `entry ${index} was not applied in time` }));
    });
    waiting.waiter = {
      resolve: (applied) => {
        timer.cancel();
        waiter.resolve(applied);
      },
      reject: (error) => {
        timer.cancel();
        waiter.reject(error);
      },
    };
  }
}
