import { checkConfiguration, encodeConfiguration, type ConfigurationAt } from '../core/configuration.js';
import { RaftCore } from '../core/core.js';
import type { Effect, Failure } from '../core/effects.js';
import { RaftError, type ProposalOutcome, type RaftErrorCode } from '../core/errors.js';
import type { Input, Proposal } from '../core/inputs.js';
import type { Observation, RaftEvents } from '../core/observations.js';
import { resolveConfig, type RaftConfig } from '../core/options.js';
import type { RpcRequest, RpcResponse } from '../core/rpc.js';
import {
  EntryType,
  type Configuration,
  type LogEntry,
  type LogIndex,
  type RaftState,
  type ServerAddress,
  type ServerId,
  type SnapshotMeta,
  type Term,
} from '../core/types.js';
import { systemClock } from '../clock/system-clock.js';
import { systemRandom } from '../clock/seeded-random.js';
import type { Clock, Timer } from '../ports/clock.js';
import { silentLogger, type Logger } from '../ports/logger.js';
import type { MaybePromise } from '../ports/log-store.js';
import type { Random } from '../ports/random.js';
import { ApplyLane } from './apply-lane.js';
import { hasExistingState, loadState, type LoadedState } from './load-state.js';
import { isPending } from './maybe-promise.js';
import { PendingProposals, type Applied, type Waiter } from './pending-proposals.js';
import type { ApplyOptions, CallOptions, RaftOptions, RaftStats } from './raft-options.js';
import { SnapshotReceiver } from './snapshot-receiver.js';
import { sendSnapshot } from './snapshot-sender.js';
import { StorageLane, type Persist } from './storage-lane.js';
import { storeCall } from './store-call.js';
import { TypedEvents } from './typed-events.js';

interface Deferred<T> {
  resolve(value: T): void;
  reject(error: RaftError): void;
}

/** A proposal that is not in the log yet. */
interface Unflushed<Response> {
  readonly proposal: Proposal;
  readonly waiter: Waiter<Response>;
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
  readonly #config: RaftConfig;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #events: TypedEvents<RaftEvents>;
  readonly #storage: StorageLane;
  readonly #receiver: SnapshotReceiver;
  readonly #pending = new PendingProposals<Response>();
  readonly #requests = new Map<number, Deferred<RpcResponse>>();
  readonly #reads = new Map<number, Deferred<LogIndex>>();
  readonly #transfers = new Map<number, Deferred<void>>();
  /** Snapshots being sent, by peer; the value is the leadership they belong to. */
  readonly #sending = new Map<ServerId, number>();
  #core: RaftCore;
  #applyLane: ApplyLane<Response>;
  #unflushed: Unflushed<Response>[] = [];
  #proposed = new Map<number, Waiter<Response>>();
  #flushScheduled = false;
  #inputs: Input[] = [];
  #observations: Observation[] = [];
  #driving = false;
  #ids = 0;
  #timer: Timer | null = null;
  #timerAt = Infinity;
  #snapshotTimer: Timer | null = null;
  /** End the wait of proposals whose leadership is over; one for each end, so that none puts another off. */
  readonly #graceTimers = new Set<Timer>();
  /** The newest leadership in which something was proposed. */
  #leadership = 0;
  #lastSnapshot: SnapshotMeta | null;
  #snapshotting: Promise<SnapshotMeta> | null = null;
  #bootstrapping: Promise<void> | null = null;
  #waitingForApply: { readonly index: LogIndex; readonly waiter: Deferred<LogIndex> }[] = [];
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
    this.#receiver = new SnapshotReceiver(options.snapshotStore, this.#logger);
    this.#lastSnapshot = loaded.snapshot;
    this.#core = this.#makeCore(loaded);
    this.#applyLane = this.#makeApplyLane(loaded.snapshot);
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
    const size = data.length + (options.extensions?.length ?? 0);
    if (size > this.#config.maxEntryBytes) {
      const message = `an entry of ${size} bytes is over maxEntryBytes (${this.#config.maxEntryBytes})`;
      return Promise.reject(new RaftError('RAFT_ENTRY_TOO_LARGE', message, { outcome: 'notAppended', size }));
    }
    return this.#propose(EntryType.command, data, options);
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
   * For a linearizable read: resolves with an index once leadership is confirmed and the state machine has applied it.
   *
   * @throws RaftError RAFT_NOT_LEADER, RAFT_LEADERSHIP_LOST, RAFT_SHUTDOWN
   */
  async readIndex(): Promise<LogIndex> {
    const index = await this.#confirmRead();
    if (this.#stopped) throw this.#stoppedError();
    if (this.appliedIndex < index) {
      return new Promise((resolve, reject) => this.#waitingForApply.push({ index, waiter: { resolve, reject } }));
    }
    if (!this.readable) throw this.#withLeader(UNREADABLE);
    return index;
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
   * Takes a snapshot now; a call while one is being taken shares it.
   *
   * @throws RaftError RAFT_NOTHING_NEW_TO_SNAPSHOT, RAFT_SNAPSHOT_FAILED, RAFT_STATE_MACHINE_FAILED, RAFT_SHUTDOWN
   */
  snapshot(): Promise<SnapshotMeta> {
    if (this.#stopped) return Promise.reject(this.#stoppedError());
    this.#snapshotting ??= this.#takeSnapshot().finally(() => {
      this.#snapshotting = null;
    });
    return this.#snapshotting;
  }

  /** The configuration that counts, and the index of its entry. */
  getConfiguration(): ConfigurationAt {
    return this.#core.configuration;
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
      lastSnapshotIndex: this.#lastSnapshot?.index ?? 0,
      redactedThrough: this.#core.redactedThrough,
      pendingProposals: this.#pending.size + this.#unflushed.length,
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
    await this.#snapshotting?.catch((error: unknown) => this.#logger.warn('the last snapshot failed', { error }));
    await this.#receiver.cancel();
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
        readEntries: (from, to, maxBytes) =>
          // What is not in memory any more is in the store.
          this.#core.entries(from, to, maxBytes) ??
          storeCall('reading the log', () =>
            this.#options.logStore.read(from, Math.min(to, this.#core.stableIndex), maxBytes),
          ),
        readEntry: (index) => this.#readEntry(index),
        entryApplied: (index, term, response) => this.#pending.settle(index, term, response as Response),
        advanced: (index) => this.#advanced(index),
        redacted: (tombstones, through) => this.#feed({ type: 'redacted', tombstones, through }),
        failed: (error) => this.#stop(error),
      },
      snapshot?.index ?? 0,
      snapshot?.term ?? 0,
    );
  }

  #start(): void {
    this.#options.transport.setHandler((request) => this.#handleRequest(request));
    this.#core.start(this.#clock.now(), this.#random.next());
    this.#armTimer();
    this.#armSnapshotTimer();
  }

  #stop(error: RaftError | null): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#failure = error;
    if (error !== null) this.#logger.error('the node stops', { id: this.id, error });
    this.#timer?.cancel();
    this.#snapshotTimer?.cancel();
    for (const timer of this.#graceTimers) timer.cancel();
    this.#applyLane.stop();
    this.#sending.clear();
    const stopped = this.#stoppedError();
    for (const { waiter } of this.#unflushed)
      waiter.reject(this.#proposalError('RAFT_SHUTDOWN', 'this node stopped', 'notAppended'));
    for (const waiter of this.#proposed.values())
      waiter.reject(this.#proposalError('RAFT_SHUTDOWN', 'this node stopped', 'notAppended'));
    this.#unflushed = [];
    this.#proposed.clear();
    this.#pending.giveUpAll('RAFT_SHUTDOWN');
    for (const map of [this.#requests, this.#reads, this.#transfers]) {
      for (const deferred of map.values()) deferred.reject(stopped);
      map.clear();
    }
    for (const { waiter } of this.#waitingForApply) waiter.reject(stopped);
    this.#waitingForApply = [];
    this.#events.emit('shutdown', { error });
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
    if (!this.#stopped) this.#armTimer();
  }

  #armTimer(): void {
    const at = this.#core.nextDeadline();
    if (at >= this.#timerAt || at === Infinity) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#clock.setTimer(Math.max(0, at - this.#clock.now()), () => {
      this.#timer = null;
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
        return this.#noteProposed(effect);
      case 'refuseProposals':
        for (const id of effect.ids) {
          this.#take(this.#proposed, id)?.reject(
            this.#proposalError(effect.failure.code, effect.failure.message, effect.outcome),
          );
        }
        return;
      case 'readLog':
        return this.#readLog(effect);
      case 'sendSnapshot':
        return this.#sendSnapshot(effect);
      case 'cancelSnapshot':
        this.#sending.delete(effect.peerId);
        return;
      case 'receiveSnapshot':
        return this.#receiveSnapshot(effect);
      case 'resolveReads':
        for (const id of effect.ids) this.#take(this.#reads, id)?.resolve(effect.index);
        return;
      case 'refuseReads':
        for (const id of effect.ids) this.#take(this.#reads, id)?.reject(this.#withLeader(effect.failure));
        return;
      case 'transferDone': {
        const waiter = this.#take(this.#transfers, effect.id);
        return effect.failure === null ? waiter?.resolve() : waiter?.reject(this.#withLeader(effect.failure));
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
    if (observation.event !== 'stateChange' || observation.payload.from !== 'leader') return;
    // What was proposed may still turn out to be committed, or to be lost; but not for ever.
    const epoch = this.#leadership;
    const timer = this.#clock.setTimer(this.#config.outcomeGraceMs, () => {
      this.#graceTimers.delete(timer);
      this.#pending.giveUp(epoch);
    });
    this.#graceTimers.add(timer);
  }

  // --- ports ------------------------------------------------------------------------------------------------------

  #send({ rpcId, to, request, timeoutMs }: Extract<Effect, { type: 'send' }>): void {
    this.#options.transport.send(to, request, timeoutMs).then(
      (response) => this.#feed({ type: 'response', rpcId, peerId: to.id, response }),
      () => this.#feed({ type: 'rpcFailed', rpcId, peerId: to.id }),
    );
  }

  #handleRequest(request: RpcRequest): Promise<RpcResponse> {
    return new Promise((resolve, reject) => {
      if (this.#stopped) return reject(this.#stoppedError());
      if (this.#bootstrapping !== null) {
        return reject(new RaftError('RAFT_TRANSPORT_FAILED', 'this node is being bootstrapped; try again'));
      }
      const requestId = ++this.#ids;
      this.#requests.set(requestId, { resolve, reject });
      this.#feed({ type: 'request', requestId, request });
    });
  }

  #persisted(writes: readonly Persist[]): void {
    if (this.#stopped) return;
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
      .then(() => this.#options.logStore.read(from, to, maxBytes))
      .then(done, failed);
  }

  #readEntry(index: LogIndex): MaybePromise<LogEntry | undefined> {
    const { logStore } = this.#options;
    const [cached] = this.#core.entries(index, index, 1) ?? [];
    if (cached !== undefined) return cached;
    if (index < this.#core.firstIndex || index < logStore.firstIndex || index > logStore.lastIndex) return undefined;
    const read = storeCall('reading the log', () => logStore.read(index, index, 1));
    if (!isPending(read)) return read[0];
    return read.then(
      (entries) => entries[0],
      (error: unknown) => {
        // Compaction may have taken it while it was being read.
        if (index < logStore.firstIndex) return undefined;
        throw error;
      },
    );
  }

  // --- proposals and reads ----------------------------------------------------------------------------------------

  #propose(type: Proposal['type'], data: Uint8Array, options: ApplyOptions): Promise<Applied<Response>> {
    if (this.#stopped)
      return Promise.reject(this.#proposalError('RAFT_SHUTDOWN', 'this node is stopped', 'notAppended'));
    if (this.#core.state !== 'leader') {
      return Promise.reject(this.#proposalError('RAFT_NOT_LEADER', 'this node does not lead', 'notAppended'));
    }
    return new Promise((resolve, reject) => {
      const proposal: Proposal = {
        id: ++this.#ids,
        type,
        data,
        ...(options.extensions ? { extensions: options.extensions } : {}),
      };
      const waiter = { resolve, reject };
      const { timeoutMs, signal } = options;
      const limited =
        timeoutMs === undefined && signal === undefined ? waiter : this.#limit(waiter, proposal.id, timeoutMs, signal);
      if (limited === null) return;
      this.#unflushed.push({ proposal, waiter: limited });
      if (this.#flushScheduled) return;
      this.#flushScheduled = true;
      this.#clock.defer(() => this.#flush());
    });
  }

  /** Gives a waiter a deadline and an abort signal; null when it is aborted already. */
  #limit(
    waiter: Waiter<Response>,
    id: number,
    timeoutMs: number | undefined,
    signal: AbortSignal | undefined,
  ): Waiter<Response> | null {
    let timer: Timer | null = null;
    const end = (): void => {
      timer?.cancel();
      signal?.removeEventListener('abort', abort);
    };
    const giveUp = (code: RaftErrorCode, message: string): void => {
      end();
      const before = this.#unflushed.length;
      this.#unflushed = this.#unflushed.filter(({ proposal }) => proposal.id !== id);
      const outcome = this.#unflushed.length < before ? 'notAppended' : 'unknownOutcome';
      waiter.reject(this.#proposalError(code, message, outcome));
    };
    const abort = (): void => giveUp('RAFT_ABORTED', 'the caller aborted the call');
    if (signal?.aborted) {
      waiter.reject(this.#proposalError('RAFT_ABORTED', 'the caller aborted the call', 'notAppended'));
      return null;
    }
    signal?.addEventListener('abort', abort, { once: true });
    if (timeoutMs !== undefined)
      timer = this.#clock.setTimer(timeoutMs, () =>
        giveUp('RAFT_TIMEOUT', `the call took longer than ${timeoutMs} ms`),
      );
    return {
      resolve: (applied) => {
        end();
        waiter.resolve(applied);
      },
      reject: (error) => {
        end();
        waiter.reject(error);
      },
    };
  }

  #flush(): void {
    this.#flushScheduled = false;
    const batch = this.#unflushed;
    if (batch.length === 0 || this.#stopped) return;
    this.#unflushed = [];
    for (const { proposal, waiter } of batch) this.#proposed.set(proposal.id, waiter);
    this.#feed({ type: 'propose', proposals: batch.map(({ proposal }) => proposal), wallNowMs: this.#clock.wallNow() });
  }

  #noteProposed({ ids, firstIndex, term }: Extract<Effect, { type: 'proposed' }>): void {
    this.#leadership = this.#core.leaderEpoch ?? this.#leadership;
    ids.forEach((id, i) => {
      const waiter = this.#take(this.#proposed, id);
      if (waiter) this.#pending.add(firstIndex + i, term, this.#leadership, waiter);
    });
  }

  #proposalError(code: RaftErrorCode, message: string, outcome: ProposalOutcome): RaftError {
    return this.#withLeader({ code, message, details: { outcome } });
  }

  #withLeader(failure: Failure): RaftError {
    const leader = this.#core.leader;
    const known = leader === null ? {} : { leaderId: leader.id, leaderAddress: leader.address };
    return new RaftError(failure.code, failure.message, { ...failure.details, ...known }, this.#failure ?? undefined);
  }

  #confirmRead(): Promise<LogIndex> {
    return new Promise((resolve, reject) => {
      if (this.#stopped) return reject(this.#stoppedError());
      const id = ++this.#ids;
      this.#reads.set(id, { resolve, reject });
      this.#feed({ type: 'read', id });
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
  }

  // --- snapshots --------------------------------------------------------------------------------------------------

  #armSnapshotTimer(): void {
    const delayMs = this.#config.snapshotIntervalMs * (1 + this.#random.next());
    this.#snapshotTimer = this.#clock.setTimer(delayMs, () => {
      if (this.appliedIndex - (this.#lastSnapshot?.index ?? 0) >= this.#config.snapshotThreshold) {
        this.snapshot().catch((error: unknown) => this.#logger.warn('a snapshot that was due failed', { error }));
      }
      this.#armSnapshotTimer();
    });
  }

  async #takeSnapshot(): Promise<SnapshotMeta> {
    if (this.appliedIndex <= (this.#lastSnapshot?.index ?? 0)) {
      throw new RaftError(
        'RAFT_NOTHING_NEW_TO_SNAPSHOT',
        `nothing was applied since the snapshot at ${this.appliedIndex}`,
      );
    }
    // A state that lacks redacted entries, and not yet shows what superseded them, must not be handed on.
    if (!this.readable) {
      throw new RaftError('RAFT_SNAPSHOT_FAILED', 'this node has not applied what superseded redacted entries');
    }
    const { index, term, snapshot } = this.#applyLane.freeze();
    try {
      const { index: configurationIndex, configuration } = this.#core.configurationAt(index);
      const sink = await this.#options.snapshotStore.create({
        version: 1,
        index,
        term,
        configuration,
        configurationIndex,
      });
      try {
        await snapshot.persist((chunk) => sink.write(chunk));
        const meta = await sink.close();
        this.#lastSnapshot = meta;
        this.#feed({ type: 'snapshotTaken', meta });
        return meta;
      } catch (error) {
        await sink.cancel();
        throw error;
      }
    } catch (cause) {
      throw cause instanceof RaftError
        ? cause
        : new RaftError('RAFT_SNAPSHOT_FAILED', 'the snapshot could not be written', {}, cause);
    } finally {
      snapshot.release();
    }
  }

  #sendSnapshot({ peer, epoch, term }: Extract<Effect, { type: 'sendSnapshot' }>): void {
    this.#sending.set(peer.id, epoch);
    const current = (): boolean => this.#sending.get(peer.id) === epoch && !this.#stopped;
    sendSnapshot({
      store: this.#options.snapshotStore,
      header: { protocolVersion: 3, id: this.id, address: this.address },
      peer,
      term,
      chunkBytes: this.#config.snapshotChunkBytes,
      send: (to, request) => this.#options.transport.send(to, request, this.#config.rpcTimeoutMs),
      answered: (response) => {
        this.#feed({ type: 'snapshotProgress', peerId: peer.id, epoch, response });
        return current();
      },
    }).then(
      (index) => {
        if (index === null || !current()) return;
        this.#sending.delete(peer.id);
        this.#feed({ type: 'snapshotSent', peerId: peer.id, epoch, index });
      },
      (error: unknown) => {
        this.#logger.warn('a snapshot could not be sent', { peerId: peer.id, error });
        this.#feed({ type: 'snapshotSendFailed', peerId: peer.id, epoch });
      },
    );
  }

  #receiveSnapshot({ requestId, request }: Extract<Effect, { type: 'receiveSnapshot' }>): void {
    this.#receiver
      .receive(request)
      .then(async (result) => {
        if (result.kind === 'stored')
          return this.#feed({ type: 'snapshotChunkStored', requestId, nextOffset: result.nextOffset });
        if (result.kind === 'refused')
          return this.#feed({ type: 'snapshotRefused', requestId, nextOffset: result.nextOffset });
        const { meta } = result;
        await this.#applyLane.restore(meta, () => this.#options.snapshotStore.open(meta.id));
        this.#pending.passed(meta.index);
        this.#lastSnapshot = meta;
        this.#feed({ type: 'snapshotInstalled', requestId, meta });
        this.#advanced(this.appliedIndex);
      })
      .catch((error: unknown) => {
        this.#logger.warn('a snapshot could not be installed', { from: request.header.id, error });
        this.#feed({ type: 'snapshotRefused', requestId, nextOffset: 0 });
      });
  }
}

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
