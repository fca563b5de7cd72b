import { handleAppendEntries } from './append.js';
import { call } from './calls.js';
import { ConfigurationHistory, type ConfigurationAt } from './configuration.js';
import type { Effect } from './effects.js';
import {
  becomeFollower,
  countSelfVote,
  electionTimedOut,
  handleRequestPreVote,
  handleRequestVote,
  startElectionTimer,
  voteReceived,
} from './election.js';
import type { HardStateValue, Input } from './inputs.js';
import { excuseLateness, quorumInTouch } from './lateness.js';
import { advanceCommit, applied, trimCache } from './leadership.js';
import { CoreLog } from './log.js';
import { continueMembership } from './membership.js';
import { CoreNode, type LeaderRole } from './node.js';
import type { RaftConfig } from './options.js';
import type { Progress } from './progress.js';
import { reconfigure } from './reconfigure.js';
import { propose } from './propose.js';
import { forwardAnswered, handleReadIndex } from './reads.js';
import {
  appendAnswered,
  appendFailed,
  logRead,
  logReadFailed,
  mustHearCommit,
  sendEntries,
  sendHeartbeat,
} from './replication.js';
import { abandonRestore, restored } from './restore.js';
import type { RpcRequest, RpcResponse } from './rpc.js';
import {
  answerSnapshot,
  handleInstallSnapshot,
  snapshotInstalled,
  snapshotProgress,
  snapshotSendFailed,
  snapshotSent,
  snapshotTaken,
} from './snapshots.js';
import { leadsOnThoughStuck } from './stuck.js';
import type { TermRuns } from './term-runs.js';
import { expireTransfer, failTransfer, handleTimeoutNow } from './transfer.js';
import {
  type LogEntry,
  type LogIndex,
  type MonotonicMs,
  type RaftState,
  type ServerAddress,
  type ServerId,
  type Term,
} from './types.js';

/** What a leader knows of a peer, for people. */
export interface PeerStats {
  readonly match: LogIndex;
  readonly next: LogIndex;
  readonly mode: Progress['mode'];
  readonly inflightAppends: number;
  readonly inflightBytes: number;
  /** When it last answered. */
  readonly lastContactAt: MonotonicMs;
  /** What the last answered request without entries took; -1 before the first. */
  readonly rttMs: MonotonicMs;
}

function statsOf({ match, next, mode, inflight, inflightBytes, lastContact, rttMs }: Progress): PeerStats {
  return { match, next, mode, inflightAppends: inflight.length, inflightBytes, lastContactAt: lastContact, rttMs };
}

/** What a core starts from: what its stores hold. */
export interface CoreInit {
  readonly id: ServerId;
  readonly address: ServerAddress;
  readonly config: RaftConfig;
  readonly hardState: HardStateValue | null;
  /** Terms of the stored log, based at the last compacted entry. */
  readonly terms: TermRuns;
  /** The configurations that the snapshot and the log hold, oldest first; at least one. */
  readonly configurations: readonly ConfigurationAt[];
  /** Index of the newest snapshot: what is known to be committed. */
  readonly snapshotIndex: LogIndex;
  /** No superseding entry of a stored tombstone lies behind this. Default 0: there is no tombstone. */
  readonly redactedThrough?: LogIndex;
}

/**
 * Raft without I/O: {@link RaftCore.step} is the only thing that changes it. The same inputs, with the same times and
 * random numbers, give the same effects.
 */
export class RaftCore {
  readonly #node: CoreNode;

  constructor(init: CoreInit) {
    const [base, ...later] = init.configurations;
    const configurations = new ConfigurationHistory(base ?? { index: 0, configuration: { servers: [] } });
    for (const item of later) configurations.append(item);
    this.#node = new CoreNode({
      id: init.id,
      address: init.address,
      config: init.config,
      term: init.hardState?.term ?? 0,
      votedFor: init.hardState?.votedFor ?? null,
      log: new CoreLog(init.terms, init.config.logCacheBytes),
      configurations,
      commitIndex: init.snapshotIndex,
    });
    this.#node.redactedThrough = init.redactedThrough ?? 0;
  }

  get state(): RaftState {
    return this.#node.role.kind;
  }

  get term(): Term {
    return this.#node.term;
  }

  get leader(): { readonly id: ServerId; readonly address: ServerAddress } | null {
    const { leaderId, leaderAddress } = this.#node;
    return leaderId === null ? null : { id: leaderId, address: leaderAddress ?? '' };
  }

  /** Number of this leadership, null when not leading. */
  get leaderEpoch(): number | null {
    const { role } = this.#node;
    return role.kind === 'leader' ? role.epoch : null;
  }

  get firstIndex(): LogIndex {
    return this.#node.log.firstIndex;
  }

  get lastIndex(): LogIndex {
    return this.#node.log.lastIndex;
  }

  get lastTerm(): Term {
    return this.#node.log.lastTerm;
  }

  get stableIndex(): LogIndex {
    return this.#node.log.stableIndex;
  }

  get commitIndex(): LogIndex {
    return this.#node.commitIndex;
  }

  /** Highest superseding entry that this node, or its leader, knows of; see RAFT.md, section 5. */
  get redactedThrough(): LogIndex {
    return this.#node.redactedThrough;
  }

  /** When a leader was last heard; this moment on a leader. */
  get leaderContactAt(): MonotonicMs {
    return this.#node.role.kind === 'leader' ? this.#node.now : this.#node.leaderContactAt;
  }

  get configuration(): ConfigurationAt {
    return this.#node.configurations.latest;
  }

  /** The configuration that counted at `index`. */
  configurationAt(index: LogIndex): ConfigurationAt {
    return this.#node.configurations.at(index);
  }

  termAt(index: LogIndex): Term | undefined {
    return this.#node.log.termAt(index);
  }

  /** Entries from memory, by number and bytes; undefined when the store must be asked. */
  entries(from: LogIndex, to: LogIndex, maxBytes: number): readonly LogEntry[] | undefined {
    return this.#node.log.slice(from, to, maxBytes, to - from + 1);
  }

  /** Numbers for people: bytes of entries in memory, uncommitted bytes, what each peer has. */
  stats(): {
    readonly cacheBytes: number;
    readonly uncommittedBytes: number;
    readonly backlogBytes: number;
    readonly peers: Readonly<Record<ServerId, PeerStats>>;
  } {
    const { role, log } = this.#node;
    const peers: Record<ServerId, PeerStats> = {};
    if (role.kind === 'leader') for (const [id, p] of role.progress) peers[id] = statsOf(p);
    const { uncommittedBytes, backlogBytes } = role.kind === 'leader' ? role : { uncommittedBytes: 0, backlogBytes: 0 };
    return { cacheBytes: log.cacheBytes, uncommittedBytes, backlogBytes, peers };
  }

  /** When the next `tick` is due; it does no harm to come earlier. */
  nextDeadline(): MonotonicMs {
    const { role, electionAt } = this.#node;
    if (role.kind !== 'leader') return electionAt;
    let deadline = Math.min(role.notifyCommitAt, role.transfer?.deadline ?? Infinity);
    if (this.#node.config.checkQuorum) deadline = Math.min(deadline, role.checkQuorumAt);
    for (const p of role.progress.values()) {
      deadline = Math.min(deadline, p.nextHeartbeatAt);
      if (p.retryAt > this.#node.now) deadline = Math.min(deadline, p.retryAt);
    }
    return deadline;
  }

  /** Starts the election timer. */
  start(now: MonotonicMs, random: number): void {
    this.#node.now = now;
    this.#node.random = random;
    this.#node.startedAt = now;
    startElectionTimer(this.#node);
  }

  /**
   * Takes one input and returns what is to be done about it.
   *
   * @param now monotonic milliseconds, never less than before
   * @param random a fresh number in [0, 1)
   */
  step(now: MonotonicMs, random: number, input: Input): readonly Effect[] {
    const node = this.#node;
    node.now = Math.max(node.now, now);
    node.random = random;
    handle(node, input);
    return node.takeEffects();
  }
}

function handle(node: CoreNode, input: Input): void {
  const { role } = node;
  switch (input.type) {
    case 'tick':
      return tick(node);
    case 'request':
      return request(node, input.requestId, input.request);
    case 'response':
      return response(node, input.rpcId, input.peerId, input.response);
    case 'rpcFailed':
      return rpcFailed(node, input.rpcId);
    case 'propose':
      return propose(node, input.proposals, input.wallNowMs);
    case 'persisted':
      node.markDurable(input.seq);
      if (node.log.markStable(input.logEpoch, input.lastIndex)) {
        if (role.kind === 'leader') advanceCommit(node, role);
        trimCache(node);
      }
      return countSelfVote(node);
    case 'persistFailed':
      node.storeFailed = true;
      return becomeFollower(node, node.term, null);
    case 'applied':
      return applied(node, input.index);
    case 'read':
    case 'changeMembership':
    case 'transfer':
    case 'abortTransfer':
    case 'beginRestore':
      return call(node, input);
    case 'snapshotChunkStored':
      return answerSnapshot(node, input.requestId, true, input.nextOffset);
    case 'snapshotRefused':
      return answerSnapshot(node, input.requestId, false, input.nextOffset);
    case 'snapshotInstalled':
      return snapshotInstalled(node, input.requestId, input.meta);
    case 'snapshotTaken':
      return snapshotTaken(node, input.meta, input.tombstonesThrough);
    case 'userRestored':
      return restored(node, input.leaderEpoch, input.meta);
    case 'reconfigure':
      return reconfigure(node, input.config);
    case 'redacted':
      node.log.redact(input.tombstones);
      node.redactedThrough = Math.max(node.redactedThrough, input.through);
      if (input.tombstones.length > 0) node.write({ op: 'redact', tombstones: input.tombstones });
      return;
    default:
      // What is left concerns one leadership; when that is over, so is this.
      if (role.kind === 'leader' && role.epoch === input.epoch) leaderInput(node, role, input);
  }
}

type LeaderInput = Extract<Input, { readonly epoch: number }>;

function leaderInput(node: CoreNode, role: LeaderRole, input: LeaderInput): void {
  switch (input.type) {
    case 'logRead':
      return logRead(node, role, input.peerId, input.entries);
    case 'logReadFailed':
      return logReadFailed(node, role, input.peerId);
    case 'abandonRestore':
      abandonRestore(role, input.id);
      return continueMembership(node, role);
    case 'snapshotProgress':
      if ('term' in input.response && input.response.term > node.term)
        return becomeFollower(node, input.response.term, null);
      return snapshotProgress(node, role, input.peerId);
    case 'snapshotSent':
      return snapshotSent(node, role, input.peerId, input.index);
    case 'snapshotSendFailed':
      return snapshotSendFailed(node, role, input.peerId);
  }
}

function tick(node: CoreNode): void {
  const { role } = node;
  if (role.kind !== 'leader') {
    if (node.now >= node.electionAt && !excuseLateness(node)) electionTimedOut(node);
    return;
  }
  if (node.config.checkQuorum && node.now >= role.checkQuorumAt && !quorumInTouch(node, role)) {
    becomeFollower(node, node.term, null);
    return;
  }
  expireTransfer(node, role);
  if (!leadsOnThoughStuck(node, role)) return;
  const notify = node.now >= role.notifyCommitAt;
  if (notify) role.notifyCommitAt = Infinity;
  for (const p of role.progress.values()) {
    sendEntries(node, role, p);
    if (p.leavesAt > 0 && node.now >= p.leavesAt) role.progress.delete(p.server.id);
    else if (node.now >= p.nextHeartbeatAt || (notify && mustHearCommit(node, p))) sendHeartbeat(node, role, p);
  }
}

function request(node: CoreNode, requestId: number, message: RpcRequest): void {
  if (node.storeFailed) {
    return node.emit({
      type: 'refuseRequest',
      requestId,
      failure: {
        code: 'RAFT_STORE_FAILED',
        message: 'a write failed on this node; it takes no part until it is restarted',
      },
    });
  }
  switch (message.kind) {
    case 'appendEntries':
      return handleAppendEntries(node, requestId, message);
    case 'requestVote':
      return handleRequestVote(node, requestId, message);
    case 'requestPreVote':
      return handleRequestPreVote(node, requestId, message);
    case 'installSnapshot':
      return handleInstallSnapshot(node, requestId, message);
    case 'timeoutNow':
      return handleTimeoutNow(node, requestId, message);
    case 'readIndex':
      return handleReadIndex(node, requestId);
  }
}

function response(node: CoreNode, rpcId: number, peerId: ServerId, message: RpcResponse): void {
  // What was true when the leader said it stays true, whatever became of the leader or of this node.
  if (message.kind === 'readIndexResponse') return forwardAnswered(node, rpcId, message);
  if ('term' in message && message.term > node.term) return becomeFollower(node, message.term, null);
  const { role } = node;
  if (message.kind === 'requestVoteResponse' || message.kind === 'requestPreVoteResponse') {
    return voteReceived(node, rpcId, peerId, message);
  }
  if (role.kind === 'leader' && message.kind === 'appendEntriesResponse' && message.term === node.term) {
    appendAnswered(node, role, rpcId, message);
  }
}

function rpcFailed(node: CoreNode, rpcId: number): void {
  forwardAnswered(node, rpcId, null);
  const { role } = node;
  if (role.kind !== 'leader') return;
  if (role.transfer?.rpcId === rpcId)
    failTransfer(node, role, 'RAFT_TRANSFER_FAILED', `${role.transfer.target} could not be told to take over`);
  appendFailed(node, role, rpcId);
}
