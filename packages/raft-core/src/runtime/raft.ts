import { checkConfiguration, type ConfigurationAt } from '../core/configuration.js';
import { RaftError, withOutcome } from '../core/errors.js';
import type { Proposal } from '../core/inputs.js';
import type { MembershipChange } from '../core/membership-change.js';
import type { RaftEvents } from '../core/observations.js';
import { reloadedConfig, resolveConfig, type ReadMode, type ReloadableConfig } from '../core/options.js';
import {
  EntryType,
  type Configuration,
  type LogIndex,
  type RaftState,
  type Server,
  type ServerAddress,
  type ServerId,
  type SnapshotMeta,
  type Term,
} from '../core/types.js';
import type { SnapshotBytes } from '../ports/state-machine.js';
import { Driver } from './driver.js';
import { loadState } from './load-state.js';
import type { PeerMetrics, RaftHistograms, RaftMetrics } from './metrics.js';
import type { ObserveOptions, Observer } from './observer.js';
import type { Applied } from './pending-proposals.js';
import { refuseBatch, refuseEntry } from './proposal-queue.js';
import type {
  ApplyOptions,
  CallOptions,
  MembershipOptions,
  RaftOptions,
  RaftStats,
  Transferred,
} from './raft-options.js';
import { histogramsOf, lastContactOf, metricsOf, peerMetricsOf, stateOf, statsOf } from './readings.js';
import { refuseProposal } from './refuse-proposal.js';
import { restorePortsOf } from './restore-ports.js';
import { transferLeadership } from './transfer-call.js';
import { userRestore, type RestoreMeta } from './user-restore.js';

/** One for all calls: an empty object for each would be the garbage of each commit. */
const NO_OPTIONS: ApplyOptions = Object.freeze({});

/**
 * One node of a Raft cluster, as its users see it. What moves it is the {@link Driver}.
 *
 * Every promise settles: with a value, or a {@link RaftError} whose `details.outcome` says what became of a proposal.
 *
 * @typeParam Response what the state machine's `apply` returns
 */
export class Raft<Response = unknown> {
  readonly id: ServerId;
  readonly address: ServerAddress;

  readonly #driver: Driver<Response>;

  private constructor(driver: Driver<Response>) {
    this.id = driver.options.id;
    this.address = driver.options.address;
    this.#driver = driver;
  }

  /**
   * Starts a node from what its stores hold. With empty stores it waits: for `bootstrap`, or for a leader.
   *
   * @throws RaftError RAFT_INVALID_OPTION, RAFT_STORE_FAILED, RAFT_STORE_CORRUPT, RAFT_STATE_MACHINE_FAILED
   */
  static async create<Response>(options: RaftOptions<Response>): Promise<Raft<Response>> {
    const config = resolveConfig(options.config);
    if (options.id === '') throw new RaftError('RAFT_INVALID_OPTION', 'id must not be empty', { option: 'id' });
    const loaded = await loadState(options, options.stateMachine);
    const driver = new Driver(options, config, loaded);
    driver.start();
    return new Raft(driver);
  }

  /** This node's role. */
  get state(): RaftState {
    return stateOf(this.#driver);
  }

  get term(): Term {
    return this.#driver.core.term;
  }

  /** Who leads, as far as this node knows. */
  get leader(): { readonly id: ServerId; readonly address: ServerAddress } | null {
    return this.#driver.core.leader;
  }

  get lastIndex(): LogIndex {
    return this.#driver.core.lastIndex;
  }

  get commitIndex(): LogIndex {
    return this.#driver.core.commitIndex;
  }

  get appliedIndex(): LogIndex {
    return this.#driver.appliedIndex;
  }

  /** Milliseconds since a leader was heard; 0 on a leader, Infinity before the first. */
  get lastContactMs(): number {
    return lastContactOf(this.#driver);
  }

  /**
   * Whether the state machine may be read here: false while this node holds tombstones whose successors it has not
   * applied (RAFT.md, section 5).
   */
  get readable(): boolean {
    return this.#driver.readable;
  }

  /**
   * Highest index that superseded one of the tombstones that were passed over while applying; 0 when there was none. While
   * it lies above an index, the state at that index lacks what has been redacted since. Finer than {@link Raft.readable},
   * which looks at the newest that any server knows: a state machine may ask it inside `apply`.
   */
  get incompleteUntil(): LogIndex {
    return this.#driver.applyLane.incompleteUntil;
  }

  /** The error that stopped this node, null when there was none. */
  get failure(): RaftError | null {
    return this.#driver.failure;
  }

  /** Calls the listener at each event of the kind, after the state that it tells of has settled. */
  on<K extends keyof RaftEvents>(event: K, listener: (payload: RaftEvents[K]) => void): this {
    this.#driver.events.on(event, listener);
    return this;
  }

  off<K extends keyof RaftEvents>(event: K, listener: (payload: RaftEvents[K]) => void): this {
    this.#driver.events.off(event, listener);
    return this;
  }

  /**
   * The events of a kind from now on, as an iterator: `for await (const { to } of raft.observe('stateChange'))`. Raft never
   * waits for an observer: what does not fit the buffer is dropped, and counted in `dropped`. It ends when this node stops,
   * when the signal is aborted, and when the loop is left.
   *
   * @throws RaftError RAFT_INVALID_OPTION
   */
  observe<K extends keyof RaftEvents>(event: K, options: ObserveOptions<RaftEvents[K]> = {}): Observer<RaftEvents[K]> {
    return this.#driver.events.observe(event, options);
  }

  /**
   * Makes a new cluster of the given servers. To be called on one node, or on each with the same configuration, before
   * the cluster ever ran.
   *
   * @throws RaftError RAFT_ALREADY_BOOTSTRAPPED, RAFT_INVALID_CONFIGURATION, RAFT_STORE_FAILED, RAFT_SHUTDOWN
   */
  async bootstrap(configuration: Configuration): Promise<void> {
    if (this.#driver.stopped) throw this.#driver.stoppedError();
    checkConfiguration(configuration);
    await this.#driver.bootstrap(configuration);
  }

  /**
   * Proposes a command. Resolves when it is committed and applied here.
   *
   * @param data the entry's bytes; must not be written to afterwards
   * @throws RaftError RAFT_NOT_LEADER, RAFT_ENTRY_TOO_LARGE, RAFT_OVERLOADED, RAFT_TRANSFER_IN_PROGRESS,
   *   RAFT_LEADERSHIP_LOST, RAFT_TIMEOUT, RAFT_ABORTED, RAFT_SHUTDOWN; `details.outcome` tells whether it may have happened
   */
  apply(data: Uint8Array, options: ApplyOptions = NO_OPTIONS): Promise<Applied<Response>> {
    const refused = refuseEntry(data, options.extensions, this.#driver.config);
    if (refused !== null) return Promise.reject(refused);
    return this.#propose(EntryType.command, data, options);
  }

  /**
   * {@link Raft.apply} without a promise. One of the two is called, once, later: while entries are applied, so neither may
   * throw or take long.
   */
  applyThen(data: Uint8Array, applied: (applied: Applied<Response>) => void, failed: (error: RaftError) => void): void {
    const refused =
      refuseEntry(data, undefined, this.#driver.config) ??
      refuseProposal(this.#driver) ??
      this.#driver.proposals.proposeThen(EntryType.command, data, undefined, applied, failed);
    if (refused !== null) void Promise.resolve(refused).then(failed);
  }

  /**
   * Proposes commands that are appended together, behind each other, or not at all. Resolves when all are applied here,
   * with one result each. They are entries of their own: a batch that is under way when leadership ends may be committed
   * in part, but always from its first command on; the error's `details.results` holds what was applied, and
   * `details.outcome` speaks of the rest.
   *
   * @param datas the entries' bytes; must not be written to afterwards
   * @param options `extensions` go with each entry
   * @throws RaftError as {@link Raft.apply}; RAFT_ENTRY_TOO_LARGE also when the batch is over maxUncommittedBytes
   */
  applyBatch(datas: readonly Uint8Array[], options: ApplyOptions = {}): Promise<readonly Applied<Response>[]> {
    const refused = refuseBatch(datas, options.extensions, this.#driver.config) ?? refuseProposal(this.#driver);
    if (refused !== null) return Promise.reject(refused);
    if (datas.length === 0) return Promise.resolve([]);
    return this.#driver.proposals.proposeBatch(datas, options);
  }

  /** Resolves when everything committed before the call is applied here. @throws as {@link Raft.apply} */
  async barrier(options: CallOptions = {}): Promise<LogIndex> {
    const { index } = await this.#propose(EntryType.barrier, new Uint8Array(0), options);
    return index;
  }

  /**
   * Resolves when a quorum has confirmed, after the call, that this node leads.
   *
   * @throws RaftError RAFT_NOT_LEADER, RAFT_LEADERSHIP_LOST, RAFT_SHUTDOWN
   */
  async verifyLeader(): Promise<void> {
    await this.#driver.confirmRead();
  }

  /**
   * For a linearizable read of this node's state machine, on the leader or a follower: resolves with an index once it is
   * certain that nothing newer was committed before the call, and the state machine has applied it.
   *
   * @param options `mode` overrides `readMode` of the configuration; `lease` only where that is `lease` too
   * @throws RaftError RAFT_NOT_LEADER when the leader is not known or does not answer, RAFT_LEADERSHIP_LOST, RAFT_TIMEOUT when
   *   it is not applied here within `rpcTimeoutMs`, RAFT_INVALID_OPTION, RAFT_SHUTDOWN
   */
  async readIndex(options: { readonly mode?: ReadMode } = {}): Promise<LogIndex> {
    const { mode = this.#driver.config.readMode } = options;
    if (mode === 'lease' && this.#driver.config.readMode !== 'lease') {
      throw new RaftError('RAFT_INVALID_OPTION', 'leases are off: set readMode on all servers', { option: 'mode' });
    }
    const index = await this.#driver.confirmRead(true, mode);
    // A follower may hold tombstones whose successors it has yet to apply.
    return this.#driver.appliedThrough(
      Math.max(index, this.#driver.core.redactedThrough),
      this.#driver.config.rpcTimeoutMs,
    );
  }

  /**
   * Hands leadership to another voter: the given one, or the one with the longest log. Resolves when this node leads no
   * more. Until then proposals are refused; when it fails, is aborted or takes too long, they are taken again at once. A
   * target that had been told to take over by then (`details.told`) may still do so.
   *
   * @param options `timeoutMs` replaces `electionTimeoutMs` as the limit
   * @throws RaftError RAFT_NOT_LEADER, RAFT_TRANSFER_FAILED, RAFT_TRANSFER_IN_PROGRESS, RAFT_RESTORE_IN_PROGRESS,
   *   RAFT_TIMEOUT when `timeoutMs` is over, RAFT_ABORTED, RAFT_INVALID_OPTION, RAFT_SHUTDOWN
   */
  leadershipTransfer(target: ServerId | null = null, options: CallOptions = {}): Promise<Transferred> {
    if (this.#driver.stopped) return Promise.reject(this.#driver.stoppedError());
    return transferLeadership(
      { transfers: this.#driver.transfers, feed: (input) => this.#driver.feed(input) },
      target,
      options,
    );
  }

  /**
   * Makes a server a voter, or gives a voter another address. It is added as `staging`, and resolves when it has caught up
   * and its vote is committed; until then `removeServer` takes it back. A server that is never reached never catches up:
   * give a time limit.
   *
   * @returns index of the entry that gave it the vote
   * @throws RaftError RAFT_NOT_LEADER, RAFT_CONFIGURATION_PENDING, RAFT_CONFIGURATION_CHANGED, RAFT_INVALID_CONFIGURATION,
   *   RAFT_TRANSFER_IN_PROGRESS, RAFT_LEADERSHIP_LOST, RAFT_TIMEOUT, RAFT_ABORTED, RAFT_SHUTDOWN
   */
  addVoter(id: ServerId, address: ServerAddress, options: MembershipOptions = {}): Promise<LogIndex> {
    return this.#change({ kind: 'addVoter', id, address }, options);
  }

  /** Adds a server that receives the log and does not vote; a voter keeps its vote. @throws as {@link Raft.addVoter} */
  addNonvoter(id: ServerId, address: ServerAddress, options: MembershipOptions = {}): Promise<LogIndex> {
    return this.#change({ kind: 'addNonvoter', id, address }, options);
  }

  /** Takes the vote from a server, which goes on receiving the log. @throws as {@link Raft.addVoter} */
  demoteVoter(id: ServerId, options: MembershipOptions = {}): Promise<LogIndex> {
    return this.#change({ kind: 'demoteVoter', id }, options);
  }

  /**
   * Removes a server. A leader that removes itself leads until that is committed, and then has the best of the others
   * campaign at once. @throws as {@link Raft.addVoter}
   */
  removeServer(id: ServerId, options: MembershipOptions = {}): Promise<LogIndex> {
    return this.#change({ kind: 'removeServer', id }, options);
  }

  /**
   * Replaces all members at once, through a joint configuration: a majority of the old and one of the new must agree until
   * the change is complete. New voters should have caught up as non-voters before. @throws as {@link Raft.addVoter}
   */
  changeMembership(servers: readonly Server[], options: MembershipOptions = {}): Promise<LogIndex> {
    return this.#change({ kind: 'replace', servers }, options);
  }

  /**
   * Takes a snapshot now; a call while one is being taken shares it.
   *
   * @throws RaftError RAFT_NOTHING_NEW_TO_SNAPSHOT, RAFT_SNAPSHOT_FAILED, RAFT_STATE_MACHINE_FAILED, RAFT_SHUTDOWN
   */
  snapshot(): Promise<SnapshotMeta> {
    if (this.#driver.stopped) return Promise.reject(this.#driver.stoppedError());
    return this.#driver.snapshots.take();
  }

  /**
   * Replaces the state of the whole cluster by the given one, for disaster recovery: the leader takes it as a snapshot above
   * its log and sends it to the others. A change of the membership that is under way is waited for; then proposals are refused.
   * Resolves when a quorum has the state.
   *
   * If the leader fails before that, restore again at the next one. When the new leader does not have the state, the failed
   * server may stop with RAFT_STORE_CORRUPT; then remove it, and add a new one under another id.
   *
   * @param meta of the snapshot to restore; its configuration does not count
   * @param bytes of the state, `meta.size` of them; what the state machine's own snapshot wrote
   * @returns index of the entry behind the restored state
   * @throws RaftError RAFT_NOT_LEADER, RAFT_RESTORE_IN_PROGRESS, RAFT_TRANSFER_IN_PROGRESS, RAFT_SNAPSHOT_FAILED, RAFT_STORE_FAILED,
   *   RAFT_ABORTED, RAFT_LEADERSHIP_LOST, RAFT_INVALID_OPTION, RAFT_STATE_MACHINE_FAILED, RAFT_SHUTDOWN. `details.outcome` is
   *   `notAppended` when nothing has changed, and `unknownOutcome` when the state may still become the cluster's. A failure
   *   after the state was stored stops the node
   */
  async restore(meta: RestoreMeta, bytes: SnapshotBytes, options: { signal?: AbortSignal } = {}): Promise<LogIndex> {
    if (this.#driver.stopped) throw withOutcome(this.#driver.stoppedError(), 'notAppended');
    const { restoring } = this.#driver;
    await restoring.open((id) => {
      userRestore(restorePortsOf(this.#driver, options.signal), meta, bytes).then(
        () => restoring.take(id)?.resolve(),
        (error: RaftError) => {
          restoring.take(id)?.reject(error);
          if (error.details.outcome === 'unknownOutcome') this.#driver.stop(error);
        },
      );
    });
    this.#driver.advanced(this.appliedIndex);
    try {
      return await this.barrier();
    } catch (error) {
      // What became of the barrier says nothing of the state, which is on this server's disk.
      throw withOutcome(error, 'unknownOutcome');
    }
  }

  /** The configuration that counts, and the index of its entry. */
  getConfiguration(): ConfigurationAt {
    return this.#driver.core.configuration;
  }

  /**
   * Changes options of the running node; those that are left out stay. Takes effect at once: timers that run are set anew.
   *
   * @throws RaftError RAFT_INVALID_OPTION, also for an option that cannot be changed; then nothing has changed
   */
  reloadConfig(changes: Partial<ReloadableConfig>): void {
    this.#driver.config = reloadedConfig(this.#driver.config, changes);
    this.#driver.feed({ type: 'reconfigure', config: this.#driver.config });
    this.#driver.snapshots.start();
  }

  /** Every metric of {@link RAFT_METRICS}, as of now: plain numbers, cheap enough to ask for each second. */
  metrics(): RaftMetrics {
    return metricsOf(this.#driver);
  }

  /** On a leader: every metric of {@link RAFT_PEER_METRICS} of each peer, as of now; empty elsewhere. */
  peerMetrics(): Readonly<Record<ServerId, PeerMetrics>> {
    return peerMetricsOf(this.#driver);
  }

  /** Every histogram of {@link RAFT_HISTOGRAMS}, since the start; copies. */
  histograms(): RaftHistograms {
    return histogramsOf(this.#driver);
  }

  /** Numbers for people. */
  stats(): RaftStats {
    return statsOf(this.#driver);
  }

  /** Stops this node; idempotent. Resolves when nothing is written any more, so that the stores can be closed. */
  async shutdown(): Promise<void> {
    this.#driver.stop(null);
    await this.#driver.idle();
  }

  #propose(type: Proposal['type'], data: Uint8Array, options: ApplyOptions): Promise<Applied<Response>> {
    const refused = refuseProposal(this.#driver);
    return refused === null ? this.#driver.proposals.propose(type, data, options) : Promise.reject(refused);
  }

  async #change(change: MembershipChange, options: MembershipOptions): Promise<LogIndex> {
    const driver = this.#driver;
    if (driver.stopped) throw driver.stoppedError();
    const { prevIndex = 0 } = options;
    const wallNowMs = driver.clock.wallNow();
    const submit = (id: number): void => driver.feed({ type: 'changeMembership', id, change, prevIndex, wallNowMs });
    const { index } = await driver.proposals.request(submit, options);
    return index;
  }
}
