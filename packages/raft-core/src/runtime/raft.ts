import { allServers, checkConfiguration, encodeConfiguration, type ConfigurationAt } from '../core/configuration.js';
import { RaftCore } from '../core/core.js';
import type { Effect, Failure } from '../core/effects.js';
import { RaftError, type RaftErrorCode } from '../core/errors.js';
import type { Input, Proposal } from '../core/inputs.js';
import type { MembershipChange } from '../core/membership-change.js';
import type { Observation, RaftEvents } from '../core/observations.js';
import {
  reloadedConfig,
  resolveConfig,
  type RaftConfig,
  type ReadMode,
  type ReloadableConfig,
} from '../core/options.js';
import type { RpcRequest, RpcResponse } from '../core/rpc.js';
import {
  EntryType,
  entrySize,
  type Configuration,
  type LogEntry,
  type LogIndex,
  type RaftState,
  type Server,
  type ServerAddress,
  type ServerId,
  type SnapshotMeta,
  type Term,
} from '../core/types.js';
import { systemClock } from '../clock/system-clock.js';
import { systemRandom } from '../clock/seeded-random.js';
import type { Clock, Timer } from '../ports/clock.js';
import type { SnapshotBytes } from '../ports/state-machine.js';
import { silentLogger, type Logger } from '../ports/logger.js';
import type { Random } from '../ports/random.js';
import { ApplyLane } from './apply-lane.js';
import { hasExistingState, loadState, type LoadedState } from './load-state.js';
import { LogReader } from './log-reader.js';
import type { Applied } from './pending-proposals.js';
import { newCounters, type RaftMetrics } from './metrics.js';
import type { ObserveOptions, Observer } from './observer.js';
import { ProposalQueue, refuseSize } from './proposal-queue.js';
import type { ApplyOptions, CallOptions, MembershipOptions, RaftOptions, RaftStats } from './raft-options.js';
import { SnapshotLane } from './snapshot-lane.js';
import { StorageLane, type Persist } from './storage-lane.js';
import { storeCall } from './store-call.js';
import { TypedEvents } from './typed-events.js';
import { storeRestore, type RestoreBegun, type RestoreMeta, type UserRestorePorts } from './user-restore.js';

interface Deferred<T> {
  resolve(value: T): void;
  reject(error: RaftError): void;
}

/**
 * One node of a Raft cluster: the only driver of a {@link RaftCore}. It owns the timers, feeds the core one input at a
 * time and carries its effects out.
 *
 * Every promise settles: with a value, or a {@link RaftError} whose `details.outcome` says what became of a proposal.
 *
 * @typeParam Response what the state machine's `apply` returns
 */
export class Raft<Response = unknown> {
  readonly id: ServerId;
  readonly address: ServerAddress;

  readonly #options: RaftOptions<Response>;
  #config: RaftConfig;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #events: TypedEvents<RaftEvents>;
  readonly #storage: StorageLane;
  readonly #reader: LogReader;
  readonly #proposals: ProposalQueue<Response>;
  readonly #snapshots: SnapshotLane;
  readonly #requests = new Map<number, Deferred<RpcResponse>>();
  readonly #reads = new Map<number, Deferred<LogIndex>>();
  readonly #transfers = new Map<number, Deferred<void>>();
  readonly #restores = new Map<number, Deferred<RestoreBegun>>();
  #core: RaftCore;
  #applyLane: ApplyLane<Response>;
  #inputs: Input[] = [];
  #observations: Observation[] = [];
  #driving = false;
  #ids = 0;
  #timer: Timer | null = null;
  #timerAt = Infinity;
  #bootstrapping: Promise<void> | null = null;
  #waitingForApply: { readonly index: LogIndex; readonly waiter: Deferred<LogIndex> }[] = [];
  /** Whether the last applied configuration names this node. */
  #wasMember = false;
  readonly #counters = newCounters();
  /** How late the last timer was, and the latest one: what the event loop takes from this node. */
  #lagMs = 0;
  #lagMaxMs = 0;
  #stopped = false;
  #failure: RaftError | null = null;

  private constructor(options: RaftOptions<Response>, config: RaftConfig, loaded: LoadedState) {
    this.id = options.id;
    this.address = options.address;
    this.#options = options;
    this.#config = config;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom();
    this.#logger = options.logger ?? silentLogger;
    this.#events = new TypedEvents(this.#logger);
    this.#storage = new StorageLane({
      logStore: options.logStore,
      stableStore: options.stableStore,
      done: (writes) => this.#persisted(writes),
      failed: (error) => this.#storeFailed(error),
    });
    this.#reader = new LogReader(options.logStore, () => this.#core);
    this.#proposals = new ProposalQueue({
      clock: this.#clock,
      outcomeGraceMs: config.outcomeGraceMs,
      maxWaitingBytes: config.maxUncommittedBytes,
      submit: (proposals) => this.#feed({ type: 'propose', proposals, wallNowMs: this.#clock.wallNow() }),
      error: (failure) => this.#withLeader(failure),
    });
    this.#core = this.#makeCore(loaded);
    this.#applyLane = this.#makeApplyLane(loaded.snapshot);
    this.#snapshots = this.#makeSnapshotLane(loaded.snapshot);
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
    const raft = new Raft(options, config, loaded);
    raft.#start();
    return raft;
  }

  /** This node's role. */
  get state(): RaftState {
    return this.#stopped ? 'shutdown' : this.#core.state;
  }

  get term(): Term {
    return this.#core.term;
  }

  /** Who leads, as far as this node knows. */
  get leader(): { readonly id: ServerId; readonly address: ServerAddress } | null {
    return this.#core.leader;
  }

  get lastIndex(): LogIndex {
    return this.#core.lastIndex;
  }

  get commitIndex(): LogIndex {
    return this.#core.commitIndex;
  }

  get appliedIndex(): LogIndex {
    return this.#applyLane.appliedIndex;
  }

  /** Milliseconds since a leader was heard; 0 on a leader, Infinity before the first. */
  get lastContactMs(): number {
    return this.#core.state === 'leader' ? 0 : this.#clock.now() - this.#core.leaderContactAt;
  }

  /**
   * Whether the state machine may be read here: false while this node holds tombstones whose successors it has not
   * applied (RAFT.md, section 5).
   */
  get readable(): boolean {
    return this.appliedIndex >= this.#core.redactedThrough;
  }

  /** The error that stopped this node, null when there was none. */
  get failure(): RaftError | null {
    return this.#failure;
  }

  /** Calls the listener at each event of the kind, after the state that it tells of has settled. */
  on<K extends keyof RaftEvents>(event: K, listener: (payload: RaftEvents[K]) => void): this {
    this.#events.on(event, listener);
    return this;
  }

  off<K extends keyof RaftEvents>(event: K, listener: (payload: RaftEvents[K]) => void): this {
    this.#events.off(event, listener);
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
    return this.#events.observe(event, options);
  }

  /**
   * Makes a new cluster of the given servers. To be called on one node, or on each with the same configuration, before
   * the cluster ever ran.
   *
   * @throws RaftError RAFT_ALREADY_BOOTSTRAPPED, RAFT_INVALID_CONFIGURATION, RAFT_STORE_FAILED, RAFT_SHUTDOWN
   */
  async bootstrap(configuration: Configuration): Promise<void> {
    if (this.#stopped) throw this.#stoppedError();
    checkConfiguration(configuration);
    if (this.#bootstrapping !== null || this.#core.term > 0) throw alreadyBootstrapped();
    this.#bootstrapping = this.#bootstrap(configuration).finally(() => {
      this.#bootstrapping = null;
    });
    await this.#bootstrapping;
  }

  /** Writes the first entry beside the storage lane; meanwhile peers are refused, or a vote could be overwritten. */
  async #bootstrap(configuration: Configuration): Promise<void> {
    const { logStore, stableStore, snapshotStore } = this.#options;
    if (await hasExistingState(logStore, stableStore, snapshotStore)) throw alreadyBootstrapped();
    const data = encodeConfiguration(configuration);
    let loaded: LoadedState;
    try {
      await storeCall('saving term and vote', () => stableStore.save({ term: 1, votedFor: null }));
      await storeCall('appending the first configuration', () =>
        logStore.append([{ index: 1, term: 1, type: EntryType.configuration, data }]),
      );
      loaded = await loadState(this.#options, this.#options.stateMachine);
    } catch (error) {
      // What the stores hold now is not what this node was started from: it must not write to them.
      if (error instanceof RaftError) this.#stop(error);
      throw error;
    }
    if (this.#stopped) throw this.#stoppedError();
    this.#core = this.#makeCore(loaded);
    this.#core.start(this.#clock.now(), this.#random.next());
    this.#armTimer();
  }

  /**
   * Proposes a command. Resolves when it is committed and applied here.
   *
   * @param data the entry's bytes; must not be written to afterwards
   * @throws RaftError RAFT_NOT_LEADER, RAFT_ENTRY_TOO_LARGE, RAFT_OVERLOADED, RAFT_TRANSFER_IN_PROGRESS,
   *   RAFT_LEADERSHIP_LOST, RAFT_TIMEOUT, RAFT_ABORTED, RAFT_SHUTDOWN; `details.outcome` tells whether it may have happened
   */
  apply(data: Uint8Array, options: ApplyOptions = {}): Promise<Applied<Response>> {
    const refused = refuseSize([data], options.extensions, this.#config);
    if (refused !== null) return Promise.reject(refused);
    return this.#propose(EntryType.command, data, options);
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
    const refused = refuseSize(datas, options.extensions, this.#config) ?? this.#refuseProposal();
    if (refused !== null) return Promise.reject(refused);
    if (datas.length === 0) return Promise.resolve([]);
    return this.#proposals.proposeBatch(datas, options);
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
    await this.#confirmRead();
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
    const { mode = this.#config.readMode } = options;
    if (mode === 'lease' && this.#config.readMode !== 'lease') {
      throw new RaftError('RAFT_INVALID_OPTION', 'leases are off: set readMode on all servers', { option: 'mode' });
    }
    const index = await this.#confirmRead(true, mode);
    // A follower may hold tombstones whose successors it has yet to apply.
    return this.#appliedThrough(Math.max(index, this.#core.redactedThrough), this.#config.rpcTimeoutMs);
  }

  #appliedThrough(index: LogIndex, limitMs = Infinity): Promise<LogIndex> {
    return new Promise((resolve, reject) => {
      if (this.#stopped) reject(this.#stoppedError());
      else if (this.appliedIndex < index) this.#waitForApply(index, { resolve, reject }, limitMs);
      else if (!this.readable) reject(this.#withLeader(UNREADABLE));
      else resolve(index);
    });
  }

  #waitForApply(index: LogIndex, waiter: Deferred<LogIndex>, limitMs: number): void {
    const waiting = { index, waiter };
    this.#waitingForApply.push(waiting);
    if (limitMs === Infinity) return;
    const timer = this.#clock.setTimer(limitMs, () => {
      this.#waitingForApply = this.#waitingForApply.filter((other) => other !== waiting);
      waiter.reject(this.#withLeader({ code: 'RAFT_TIMEOUT', message: `entry ${index} was not applied in time` }));
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

  /**
   * Hands leadership to another voter: the given one, or the one with the longest log. Resolves when this node leads no
   * more. Until then proposals are refused.
   *
   * @throws RaftError RAFT_NOT_LEADER, RAFT_TRANSFER_FAILED, RAFT_TRANSFER_IN_PROGRESS, RAFT_SHUTDOWN
   */
  leadershipTransfer(target: ServerId | null = null): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#stopped) return reject(this.#stoppedError());
      const id = ++this.#ids;
      this.#transfers.set(id, { resolve, reject });
      this.#feed({ type: 'transfer', id, target });
    });
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
    if (this.#stopped) return Promise.reject(this.#stoppedError());
    return this.#snapshots.take();
  }

  /**
   * Replaces the state of the whole cluster by the given one, for disaster recovery: the leader takes it as a snapshot above
   * its log and sends it to the others. Proposals are refused meanwhile. Resolves when a quorum has it.
   *
   * If the leader fails before that, restore again at the next one. When the new leader does not have the state, the failed
   * server may stop with RAFT_STORE_CORRUPT; then start it with empty stores.
   *
   * @param meta of the snapshot to restore; its configuration does not count
   * @param bytes of the state, `meta.size` of them; what the state machine's own snapshot wrote
   * @returns index of the entry behind the restored state
   * @throws RaftError RAFT_NOT_LEADER, RAFT_RESTORE_IN_PROGRESS, RAFT_TRANSFER_IN_PROGRESS, RAFT_CONFIGURATION_PENDING,
   *   RAFT_SNAPSHOT_FAILED, RAFT_STORE_FAILED, RAFT_ABORTED, RAFT_LEADERSHIP_LOST, RAFT_STATE_MACHINE_FAILED, RAFT_SHUTDOWN
   */
  async restore(meta: RestoreMeta, bytes: SnapshotBytes, options: { signal?: AbortSignal } = {}): Promise<LogIndex> {
    if (this.#stopped) throw this.#stoppedError();
    const id = ++this.#ids;
    const begun = await new Promise<RestoreBegun>((resolve, reject) => {
      this.#restores.set(id, { resolve, reject });
      this.#feed({ type: 'beginRestore', id });
    });
    try {
      const stored = await storeRestore(this.#restorePorts(options.signal), begun, meta, bytes);
      this.#feed({ type: 'userRestored', leaderEpoch: begun.epoch, meta: stored });
      this.#advanced(this.appliedIndex);
    } catch (error) {
      this.#feed({ type: 'abandonRestore', id, epoch: begun.epoch });
      throw error;
    }
    return this.barrier();
  }

  #restorePorts(signal: AbortSignal | undefined): UserRestorePorts {
    return {
      store: this.#options.snapshotStore,
      signal,
      configuration: () => this.#core.configuration,
      leads: (epoch) => !this.#stopped && this.#core.leaderEpoch === epoch,
      settled: async (index) => {
        await this.#confirmRead();
        await this.#appliedThrough(index);
      },
      install: async (meta) => {
        await this.#applyLane.restore(meta, () => this.#options.snapshotStore.open(meta.id));
        this.#snapshots.passed(meta);
      },
    };
  }

  /** The configuration that counts, and the index of its entry. */
  getConfiguration(): ConfigurationAt {
    return this.#core.configuration;
  }

  /**
   * Changes options of the running node; those that are left out stay. Takes effect at once: timers that run are set anew.
   *
   * @throws RaftError RAFT_INVALID_OPTION, also for an option that cannot be changed; then nothing has changed
   */
  reloadConfig(changes: Partial<ReloadableConfig>): void {
    this.#config = reloadedConfig(this.#config, changes);
    this.#feed({ type: 'reconfigure', config: this.#config });
    this.#snapshots.start();
  }

  /** Every metric of {@link RAFT_METRICS}, as of now: plain numbers, cheap enough to ask for each second. */
  metrics(): RaftMetrics {
    const { cacheBytes, uncommittedBytes, backlogBytes, peers } = this.#core.stats();
    const progress = Object.values(peers);
    const contact = this.lastContactMs;
    return {
      ...this.#counters,
      term: this.term,
      isLeader: this.state === 'leader' ? 1 : 0,
      hasLeader: this.leader === null ? 0 : 1,
      lastContactMs: contact === Infinity ? -1 : contact,
      firstIndex: this.#core.firstIndex,
      lastIndex: this.lastIndex,
      stableIndex: this.#core.stableIndex,
      commitIndex: this.commitIndex,
      appliedIndex: this.appliedIndex,
      snapshotIndex: this.#snapshots.lastIndex,
      pendingProposals: this.#proposals.size,
      uncommittedBytes,
      applyBacklogBytes: backlogBytes,
      logCacheBytes: cacheBytes,
      peersBehind: progress.reduce((most, { match }) => Math.max(most, this.lastIndex - match), 0),
      peersInSnapshot: progress.filter(({ mode }) => mode === 'snapshot').length,
      eventLoopLagMs: this.#lagMs,
      eventLoopLagMaxMs: this.#lagMaxMs,
    };
  }

  stats(): RaftStats {
    const { cacheBytes, uncommittedBytes, peers } = this.#core.stats();
    return {
      state: this.state,
      term: this.term,
      firstIndex: this.#core.firstIndex,
      lastIndex: this.lastIndex,
      stableIndex: this.#core.stableIndex,
      commitIndex: this.commitIndex,
      appliedIndex: this.appliedIndex,
      lastSnapshotIndex: this.#snapshots.lastIndex,
      redactedThrough: this.#core.redactedThrough,
      pendingProposals: this.#proposals.size,
      uncommittedBytes,
      logCacheBytes: cacheBytes,
      peers,
    };
  }

  /** Stops this node; idempotent. Resolves when nothing is written any more, so that the stores can be closed. */
  async shutdown(): Promise<void> {
    this.#stop(null);
    await this.#bootstrapping?.catch(() => undefined);
    await this.#storage.idle();
    await this.#snapshots.idle();
  }

  // --- start and stop ---------------------------------------------------------------------------------------------

  #makeCore(loaded: LoadedState): RaftCore {
    return new RaftCore({
      id: this.id,
      address: this.address,
      config: this.#config,
      hardState: loaded.hardState,
      terms: loaded.terms,
      configurations: loaded.configurations,
      snapshotIndex: loaded.snapshot?.index ?? 0,
      redactedThrough: loaded.redactedThrough,
    });
  }

  #makeApplyLane(snapshot: SnapshotMeta | null): ApplyLane<Response> {
    return new ApplyLane<Response>(
      {
        stateMachine: this.#options.stateMachine,
        clock: this.#clock,
        readEntries: (from, to, maxBytes) => this.#reader.read(from, to, maxBytes),
        readEntry: (index) => this.#reader.readOne(index),
        entryApplied: (entry, response) => {
          const size = entrySize(entry);
          this.#counters.entriesApplied++;
          this.#counters.bytesApplied += size;
          this.#snapshots.applied(size);
          this.#proposals.applied(entry.index, entry.term, response as Response);
        },
        configurationApplied: (configuration) => this.#configurationApplied(configuration),
        advanced: (index) => this.#advanced(index),
        redacted: (tombstones, through) => this.#feed({ type: 'redacted', tombstones, through }),
        failed: (error) => this.#stop(error),
      },
      snapshot?.index ?? 0,
      snapshot?.term ?? 0,
    );
  }

  #makeSnapshotLane(last: SnapshotMeta | null): SnapshotLane {
    const { snapshotStore: store, logStore, transport } = this.#options;
    const ports = { id: this.id, address: this.address, store, logStore, transport };
    return new SnapshotLane(
      {
        ...ports,
        clock: this.#clock,
        random: this.#random,
        logger: this.#logger,
        config: () => this.#config,
        feed: (input) => this.#feed(input),
        appliedIndex: () => this.appliedIndex,
        readable: () => this.readable,
        freeze: () => this.#applyLane.freeze(),
        configurationAt: (index) => this.#core.configurationAt(index),
        restore: async (meta) => {
          await this.#applyLane.restore(meta, () => store.open(meta.id));
          this.#proposals.passed(meta.index);
        },
        restored: () => this.#advanced(this.appliedIndex),
      },
      last,
    );
  }

  #start(): void {
    this.#options.transport.setHandler((request) => this.#handleRequest(request));
    this.#core.start(this.#clock.now(), this.#random.next());
    this.#armTimer();
    this.#snapshots.start();
  }

  #stop(error: RaftError | null): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#failure = error;
    if (error !== null) this.#logger.error('the node stops', { id: this.id, error });
    this.#timer?.cancel();
    this.#applyLane.stop();
    this.#snapshots.stop();
    this.#proposals.stop();
    const stopped = this.#stoppedError();
    for (const map of [this.#requests, this.#reads, this.#transfers, this.#restores]) {
      for (const deferred of map.values()) deferred.reject(stopped);
      map.clear();
    }
    for (const { waiter } of this.#waitingForApply) waiter.reject(stopped);
    this.#waitingForApply = [];
    this.#events.emit('shutdown', { error });
    // Otherwise what was observed is still to be told.
    if (!this.#driving) this.#events.close();
  }

  #stoppedError(): RaftError {
    return new RaftError('RAFT_SHUTDOWN', 'this node is stopped', {}, this.#failure ?? undefined);
  }

  // --- the loop ---------------------------------------------------------------------------------------------------

  /** Feeds one input; inputs that arise meanwhile wait for their turn. */
  #feed(input: Input): void {
    if (this.#stopped) return;
    this.#inputs.push(input);
    if (this.#driving) return;
    this.#driving = true;
    try {
      for (let i = 0; i < this.#inputs.length && !this.#stopped; i++) this.#step(this.#inputs[i]!);
    } catch (error) {
      this.#stop(new RaftError('RAFT_STORE_FAILED', 'the node met an error that it cannot explain', {}, error));
    } finally {
      this.#inputs = [];
      this.#driving = false;
    }
    this.#settle();
  }

  #step(input: Input): void {
    const effects = this.#core.step(this.#clock.now(), this.#random.next(), input);
    for (const effect of effects) this.#carryOut(effect);
  }

  /** Tells observers what happened, now that the state has settled. */
  #settle(): void {
    while (this.#observations.length > 0) {
      const observations = this.#observations;
      this.#observations = [];
      for (const { event, payload } of observations) this.#events.emit(event, payload);
    }
    if (this.#stopped) this.#events.close();
    else this.#armTimer();
  }

  #armTimer(): void {
    const at = this.#core.nextDeadline();
    if (at >= this.#timerAt || at === Infinity) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    const armedAt = this.#clock.now();
    this.#timer = this.#clock.setTimer(Math.max(0, at - armedAt), () => {
      this.#timer = null;
      this.#lagMs = Math.max(0, this.#clock.now() - Math.max(at, armedAt));
      this.#lagMaxMs = Math.max(this.#lagMaxMs, this.#lagMs);
      this.#timerAt = Infinity;
      this.#feed({ type: 'tick' });
    });
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case 'persist':
        return this.#storage.push(effect);
      case 'send':
        return this.#send(effect);
      case 'reply':
        return this.#take(this.#requests, effect.requestId)?.resolve(effect.response);
      case 'refuseRequest':
        return this.#take(this.#requests, effect.requestId)?.reject(toError(effect.failure));
      case 'commit':
        return this.#applyLane.commit(effect.index);
      case 'proposed':
        this.#counters.entriesProposed += effect.ids.length;
        return this.#proposals.appended(effect, this.#core.leaderEpoch ?? 0);
      case 'refuseProposals':
        this.#counters.proposalsRefused += effect.ids.length;
        return this.#proposals.refused(effect);
      case 'readLog':
        return this.#readLog(effect);
      case 'sendSnapshot':
        return this.#snapshots.send(effect);
      case 'cancelSnapshot':
        return this.#snapshots.cancelSending(effect.peerId);
      case 'receiveSnapshot':
        return this.#snapshots.receive(effect);
      case 'resolveReads':
        this.#counters.readsConfirmed += effect.ids.length;
        for (const id of effect.ids) this.#take(this.#reads, id)?.resolve(effect.index);
        return;
      case 'refuseReads':
        this.#counters.readsRefused += effect.ids.length;
        for (const id of effect.ids) this.#take(this.#reads, id)?.reject(this.#withLeader(effect.failure));
        return;
      case 'transferDone': {
        if (effect.failure !== null) this.#counters.transfersFailed++;
        const waiter = this.#take(this.#transfers, effect.id);
        return effect.failure === null ? waiter?.resolve() : waiter?.reject(this.#withLeader(effect.failure));
      }
      case 'restoreBegun': {
        const waiter = this.#take(this.#restores, effect.id);
        return effect.failure === null ? waiter?.resolve(effect) : waiter?.reject(this.#withLeader(effect.failure));
      }
      case 'observe':
        return this.#observe(effect.observation);
      case 'halt':
        return this.#stop(toError(effect.failure));
    }
  }

  #take<T>(map: Map<number, T>, id: number): T | undefined {
    const value = map.get(id);
    map.delete(id);
    return value;
  }

  #observe(observation: Observation): void {
    this.#observations.push(observation);
    this.#count(observation);
    if (observation.event !== 'stateChange' || observation.payload.from !== 'leader') return;
    this.#proposals.leadershipEnded();
    // What is committed will be applied; of the rest nobody knows.
    const waiting = this.#waitingForApply;
    this.#waitingForApply = waiting.filter(({ index }) => index <= this.#core.commitIndex);
    for (const { index, waiter } of waiting) {
      if (index > this.#core.commitIndex) waiter.reject(this.#withLeader(LOST));
    }
  }

  // --- ports ------------------------------------------------------------------------------------------------------

  #count({ event, payload }: Observation): void {
    const counters = this.#counters;
    if (event === 'stateChange') {
      if (payload.to === 'candidate') counters.campaigns++;
      else if (payload.to === 'leader') counters.leaderships++;
    } else if (event === 'leaderChange') counters.leaderChanges++;
    else if (event === 'heartbeatFailed') counters.heartbeatsFailed++;
    else if (event === 'snapshotTaken') counters.snapshotsTaken++;
    else if (event === 'snapshotInstalled') counters.snapshotsInstalled++;
  }

  #send({ rpcId, to, request, timeoutMs }: Extract<Effect, { type: 'send' }>): void {
    this.#counters.requestsSent++;
    this.#options.transport.send(to, request, timeoutMs).then(
      (response) => this.#feed({ type: 'response', rpcId, peerId: to.id, response }),
      () => {
        this.#counters.requestsFailed++;
        this.#feed({ type: 'rpcFailed', rpcId, peerId: to.id });
      },
    );
  }

  #handleRequest(request: RpcRequest): Promise<RpcResponse> {
    return new Promise((resolve, reject) => {
      if (this.#stopped) return reject(this.#stoppedError());
      if (this.#bootstrapping !== null) {
        return reject(new RaftError('RAFT_TRANSPORT_FAILED', 'this node is being bootstrapped; try again'));
      }
      this.#counters.requestsReceived++;
      const requestId = ++this.#ids;
      this.#requests.set(requestId, { resolve, reject });
      this.#feed({ type: 'request', requestId, request });
    });
  }

  #persisted(writes: readonly Persist[]): void {
    if (this.#stopped) return;
    this.#counters.storeWrites++;
    const last = writes.at(-1)!;
    for (const write of writes) for (const effect of write.then) this.#carryOut(effect);
    this.#feed({ type: 'persisted', seq: last.seq, logEpoch: last.logEpoch, lastIndex: last.lastIndex });
  }

  #storeFailed(error: unknown): void {
    this.#feed({ type: 'persistFailed' });
    this.#stop(
      error instanceof RaftError ? error : new RaftError('RAFT_STORE_FAILED', 'a write to the store failed', {}, error),
    );
  }

  #readLog({ peerId, epoch, from, to, maxBytes }: Extract<Effect, { type: 'readLog' }>): void {
    const done = (entries: readonly LogEntry[]): void => this.#feed({ type: 'logRead', peerId, epoch, entries });
    const failed = (error: unknown): void => {
      this.#logger.warn('the log could not be read for a follower', { peerId, from, to, error });
      this.#feed({ type: 'logReadFailed', peerId, epoch });
    };
    Promise.resolve()
      .then(() => this.#reader.readStored(from, to, maxBytes))
      .then(done, failed);
  }

  // --- proposals and reads ----------------------------------------------------------------------------------------

  #propose(type: Proposal['type'], data: Uint8Array, options: ApplyOptions): Promise<Applied<Response>> {
    const refused = this.#refuseProposal();
    return refused === null ? this.#proposals.propose(type, data, options) : Promise.reject(refused);
  }

  #refuseProposal(): RaftError | null {
    const refuse = (code: RaftErrorCode, message: string): RaftError =>
      this.#withLeader({ code, message, details: { outcome: 'notAppended' } });
    if (this.#stopped) return refuse('RAFT_SHUTDOWN', 'this node is stopped');
    return this.#core.state === 'leader' ? null : refuse('RAFT_NOT_LEADER', 'this node does not lead');
  }

  async #change(change: MembershipChange, options: MembershipOptions): Promise<LogIndex> {
    if (this.#stopped) throw this.#stoppedError();
    const { prevIndex = 0 } = options;
    const wallNowMs = this.#clock.wallNow();
    const submit = (id: number): void => this.#feed({ type: 'changeMembership', id, change, prevIndex, wallNowMs });
    const { index } = await this.#proposals.request(submit, options);
    return index;
  }

  /** A committed configuration without this node ends it, once it has answered what it still knows. */
  #configurationApplied(configuration: Configuration): void {
    const names = (of: Configuration): boolean => allServers(of).some(({ id }) => id === this.id);
    const removed = this.#wasMember && !names(configuration);
    this.#wasMember = names(configuration);
    // A node that starts again also meets configurations of its past.
    if (!removed || names(this.#core.configuration.configuration)) return;
    if (this.#config.shutdownOnRemove) this.#clock.defer(() => this.#stop(null));
  }

  #withLeader(failure: Failure): RaftError {
    const leader = this.#core.leader;
    const known = leader === null ? {} : { leaderId: leader.id, leaderAddress: leader.address };
    return new RaftError(failure.code, failure.message, { ...failure.details, ...known }, this.#failure ?? undefined);
  }

  #confirmRead(forward = false, mode: ReadMode = 'quorum'): Promise<LogIndex> {
    return new Promise((resolve, reject) => {
      if (this.#stopped) return reject(this.#stoppedError());
      const id = ++this.#ids;
      this.#reads.set(id, { resolve, reject });
      this.#feed({ type: 'read', id, forward, mode });
    });
  }

  #advanced(index: LogIndex): void {
    if (this.#waitingForApply.length > 0) {
      this.#waitingForApply = this.#waitingForApply.filter(({ index: wanted, waiter }) => {
        if (wanted > index) return true;
        if (this.readable) waiter.resolve(wanted);
        else waiter.reject(this.#withLeader(UNREADABLE));
        return false;
      });
    }
    this.#feed({ type: 'applied', index });
    this.#snapshots.advanced();
  }
}

const LOST: Failure = { code: 'RAFT_LEADERSHIP_LOST', message: 'this node lost leadership while it waited' };

/** Only who has lost leadership meanwhile can be so. */
const UNREADABLE: Failure = {
  code: 'RAFT_LEADERSHIP_LOST',
  message: 'this node lost leadership, and has not applied what superseded redacted entries',
};

function alreadyBootstrapped(): RaftError {
  return new RaftError('RAFT_ALREADY_BOOTSTRAPPED', 'this node has state of a cluster already');
}

function toError(failure: Failure): RaftError {
  return new RaftError(failure.code, failure.message, failure.details);
}
