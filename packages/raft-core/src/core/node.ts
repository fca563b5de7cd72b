import type { ConfigurationHistory } from './configuration.js';
import type { Effect, Failure, LogWrite } from './effects.js';
import type { CoreLog } from './log.js';
import type { MembershipChange } from './membership-change.js';
import type { MembershipRequest } from './membership.js';
import type { Observation } from './observations.js';
import type { RaftConfig } from './options.js';
import type { Progress } from './progress.js';
import type { OwnWork } from './stuck.js';
import { PROTOCOL_VERSION, type RpcHeader, type RpcResponse } from './rpc.js';
import type { LogEntry, LogIndex, MonotonicMs, ServerAddress, ServerId, Term } from './types.js';

/** What a leader remembers of a request that it sent, to understand the answer. */
export interface RpcContext {
  readonly peerId: ServerId;
  readonly sentAt: MonotonicMs;
  /** The newest read round when it was sent. */
  readonly round: number;
  readonly prevLogIndex: LogIndex;
  /** Last index that the request covers. */
  readonly lastIndex: LogIndex;
  /** What was known to match when it was sent. */
  readonly matchAtSend: LogIndex;
}

/** A role is one object that is dropped whole when the role ends: no flag of a term outlives it. */
export type Role = FollowerRole | CandidateRole | LeaderRole;

export interface FollowerRole {
  readonly kind: 'follower';
}

export interface CandidateRole {
  readonly kind: 'preCandidate' | 'candidate';
  readonly votes: Map<ServerId, boolean>;
  /** Requests under way. */
  readonly rpcs: Set<number>;
  /** The write that makes the vote for itself durable; it counts from then on. */
  readonly selfVoteSeq: number;
}

/** Reads that wait for one round of acknowledgements. */
export interface ReadRound {
  readonly round: number;
  readonly ids: number[];
}

/** A leadership transfer under way. */
export interface Transfer {
  readonly id: number;
  readonly target: ServerId;
  readonly deadline: MonotonicMs;
  /** The time limit that the caller gave; null for this node's own. */
  readonly callersLimitMs: number | null;
  /** The TimeoutNow request; 0 until it is sent. */
  rpcId: number;
}

export interface LeaderRole {
  readonly kind: 'leader';
  /** Unique among this node's leaderships; late completions are matched on it. */
  readonly epoch: number;
  /** Index of this leader's first entry: reads and commits wait for it. */
  firstIndex: LogIndex;
  readonly progress: Map<ServerId, Progress>;
  readonly rpcs: Map<number, RpcContext>;
  /** Newest read round; every request carries it (in memory only). */
  round: number;
  currentRead: ReadRound | null;
  /** Reads that came while a round was under way. */
  waitingReads: number[];
  /** When followers that have nothing else to hear are told of the commit index; Infinity when they know. */
  notifyCommitAt: MonotonicMs;
  checkQuorumAt: MonotonicMs;
  /** Whether the last look for a quorum was put off since this node itself was late. */
  excused: boolean;
  transfer: Transfer | null;
  /** Whether a server was ever told to take over; then no lease of this leadership counts any more. */
  transferBegun: boolean;
  /** The user's restore that is under way; proposals and changes wait or are refused meanwhile. */
  restore: number | null;
  uncommittedBytes: number;
  /** Bytes of entries of this leadership that are committed and not applied here. */
  backlogBytes: number;
  /** Whether its own work moves. */
  readonly work: OwnWork;
  /** Changes of the membership that take more than one step, and who asked for them. */
  changes: { readonly id: number; readonly change: MembershipChange }[];
  /** Changes that wait for their turn. */
  readonly waitingChanges: MembershipRequest[];
}

/** The state that the core's functions work on. One step is one call; what it wants done gathers in `effects`. */
export class CoreNode {
  now: MonotonicMs = 0;
  /** This step's randomness, in [0, 1). */
  random = 0;
  term: Term;
  votedFor: ServerId | null;
  role: Role = { kind: 'follower' };
  leaderId: ServerId | null = null;
  leaderAddress: ServerAddress | null = null;
  /** When a leader of this term was last heard. */
  leaderContactAt: MonotonicMs = -Infinity;
  electionAt: MonotonicMs = Infinity;
  /** Whether the election was put off since this node itself was late. */
  excused = false;
  /** When this node was started. */
  startedAt: MonotonicMs = -Infinity;
  /** Reads that the leader is asked to confirm: those of the request under way (0 for none), and those that wait. */
  readonly forwards: { rpcId: number; asked: readonly number[]; waiting: number[] } = {
    rpcId: 0,
    asked: [],
    waiting: [],
  };
  commitIndex: LogIndex;
  appliedIndex: LogIndex;
  /** Highest index of an entry that superseded a redacted one, here or at the leader. */
  redactedThrough: LogIndex = 0;
  /** A write failed: this node never votes, campaigns or acknowledges again. */
  storeFailed = false;
  /** Number of leaderships so far. */
  epochs = 0;
  rpcIds = 0;
  effects: Effect[] = [];

  #hardStateDirty = false;
  #writes: LogWrite[] = [];
  #then: Effect[] = [];
  #seq = 0;
  #durableSeq = 0;
  #hardStateSeq = 0;

  readonly id: ServerId;
  readonly address: ServerAddress;
  readonly header: RpcHeader;
  readonly log: CoreLog;
  readonly configurations: ConfigurationHistory;
  config: RaftConfig;

  constructor(init: {
    id: ServerId;
    address: ServerAddress;
    config: RaftConfig;
    term: Term;
    votedFor: ServerId | null;
    log: CoreLog;
    configurations: ConfigurationHistory;
    commitIndex: LogIndex;
  }) {
    this.id = init.id;
    this.address = init.address;
    this.header = { protocolVersion: PROTOCOL_VERSION, id: init.id, address: init.address };
    this.config = init.config;
    this.term = init.term;
    this.votedFor = init.votedFor;
    this.log = init.log;
    this.configurations = init.configurations;
    this.commitIndex = init.commitIndex;
    this.appliedIndex = init.commitIndex;
  }

  /** Sets term and vote; they become durable before any answer that rests on them leaves. */
  setHardState(term: Term, votedFor: ServerId | null): void {
    this.term = term;
    this.votedFor = votedFor;
    this.#hardStateDirty = true;
  }

  /** The `seq` that the write of this step will have. */
  get nextSeq(): number {
    return this.#seq + 1;
  }

  get durableSeq(): number {
    return this.#durableSeq;
  }

  /** Whether the term and the vote that count now are stored. */
  get isTermDurable(): boolean {
    return !this.#hardStateDirty && this.#durableSeq >= this.#hardStateSeq;
  }

  write(write: LogWrite): void {
    this.#writes.push(write);
  }

  /** Appends entries to the log and to the write of this step. */
  append(entries: readonly LogEntry[]): void {
    this.log.append(entries);
    this.#writes.push({ op: 'append', entries });
  }

  emit(effect: Effect): void {
    this.effects.push(effect);
  }

  observe(observation: Observation): void {
    this.effects.push({ type: 'observe', observation });
  }

  /** Carries the effect out once all that was written so far, this step's writes too, is durable. */
  emitDurable(effect: Effect): void {
    this.#then.push(effect);
  }

  /**
   * Answers a request: at once if all that the answer rests on is durable, else as soon as it is.
   *
   * @param stable the answer vouches for entries up to this index
   */
  reply(requestId: number, response: RpcResponse, stable: LogIndex = 0): void {
    const effect: Effect = { type: 'reply', requestId, response };
    if (this.isTermDurable && stable <= this.log.stableIndex) this.emit(effect);
    else this.emitDurable(effect);
  }

  halt(failure: Failure): void {
    this.emit({ type: 'halt', failure });
  }

  /** Closes the step: what is to be written becomes one effect. */
  takeEffects(): readonly Effect[] {
    const { effects } = this;
    this.effects = [];
    if (this.#hardStateDirty || this.#writes.length > 0 || this.#then.length > 0) {
      this.#seq++;
      if (this.#hardStateDirty) this.#hardStateSeq = this.#seq;
      // First of all: what the other effects make somebody read is on its way to the store then.
      effects.unshift({
        type: 'persist',
        seq: this.#seq,
        hardState: this.#hardStateDirty ? { term: this.term, votedFor: this.votedFor } : null,
        log: this.#writes,
        logEpoch: this.log.epoch,
        lastIndex: this.log.lastIndex,
        then: this.#then,
      });
      this.#hardStateDirty = false;
      this.#writes = [];
      this.#then = [];
    }
    return effects;
  }

  markDurable(seq: number): void {
    this.#durableSeq = Math.max(this.#durableSeq, seq);
  }

  /** Random in [`ms`, 2 × `ms`). */
  spread(ms: MonotonicMs): MonotonicMs {
    return ms + this.random * ms;
  }
}
