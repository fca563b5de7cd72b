import { RaftCore } from '../core/core.js';
import type { Effect, Failure } from '../core/effects.js';
import { RaftError, withOutcome } from '../core/errors.js';
import type { Input } from '../core/inputs.js';
import type { Observation, RaftEvents } from '../core/observations.js';
import type { RaftConfig, ReadMode } from '../core/options.js';
import { entrySize, type Configuration, type LogIndex, type MonotonicMs, type SnapshotMeta } from '../core/types.js';
import { systemRandom } from '../clock/seeded-random.js';
import { systemClock } from '../clock/system-clock.js';
import type { Clock } from '../ports/clock.js';
import { silentLogger, type Logger } from '../ports/logger.js';
import type { Random } from '../ports/random.js';
import { AppliedWaiters } from './applied-waiters.js';
import { ApplyLane } from './apply-lane.js';
import { BatchTimes } from './batch-times.js';
import { Bootstrap } from './bootstrap.js';
import { CoreLoop } from './core-loop.js';
import { EventQueue } from './event-queue.js';
import type { LoadedState } from './load-state.js';
import { LogReader } from './log-reader.js';
import { countObservation, newCounters, newHistograms } from './metrics.js';
import { OpenCalls } from './open-calls.js';
import { ProposalQueue } from './proposal-queue.js';
import type { RaftOptions, Transferred } from './raft-options.js';
import { RemovalWatch } from './removal-watch.js';
import { RestoreStore } from './restore-store.js';
import { RpcDesk } from './rpc-desk.js';
import { SnapshotLane } from './snapshot-lane.js';
import { appendedBy, StorageLane, type Persist } from './storage-lane.js';
import { TypedEvents } from './typed-events.js';
import type { RestoreBegun } from './user-restore.js';

/**
 * One node at work: feeds its core through the {@link CoreLoop}, and carries out what the core wants done through the lanes
 * and the ports. `Raft` is what users see of it.
 */
export class Driver<Response> {
  readonly options: RaftOptions<Response>;
  readonly clock: Clock;
  readonly loop: CoreLoop;
  readonly proposals: ProposalQueue<Response>;
  readonly snapshots: SnapshotLane;
  readonly applyLane: ApplyLane<Response>;
  readonly events: TypedEvents<RaftEvents>;
  readonly transfers = new OpenCalls<Transferred>();
  readonly restores = new OpenCalls<RestoreBegun>();
  /** Work of users' restores, whatever store or stream it waits for: who asked hears when this node stops. */
  readonly restoring = new OpenCalls<void>();
  readonly restoreStore: RestoreStore;
  readonly counters = newCounters();
  readonly histograms = newHistograms();
  config: RaftConfig;

  readonly #random: Random;
  readonly #logger: Logger;
  readonly #storage: StorageLane;
  readonly #reader: LogReader;
  readonly #rpcs: RpcDesk;
  readonly #reads = new OpenCalls<LogIndex>();
  readonly #waiters: AppliedWaiters;
  readonly #appendTimes = new BatchTimes(this.histograms.commitMs);
  readonly #observations: EventQueue;
  readonly #bootstrap: Bootstrap;
  readonly #removal: RemovalWatch;
  #stopped = false;
  #failure: RaftError | null = null;

  constructor(options: RaftOptions<Response>, config: RaftConfig, loaded: LoadedState) {
    this.options = options;
    this.config = config;
    this.clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom();
    this.#logger = options.logger ?? silentLogger;
    this.events = new TypedEvents(this.#logger);
    this.#observations = new EventQueue(this.events);
    this.#removal = new RemovalWatch(options.id);
    this.#storage = new StorageLane({
      logStore: options.logStore,
      stableStore: options.stableStore,
      clock: this.clock,
      done: (writes, tookMs) => this.#persisted(writes, tookMs),
      failed: (error) => this.#storeFailed(error),
    });
    this.restoreStore = new RestoreStore(options.snapshotStore);
    this.#bootstrap = new Bootstrap({
      options,
      hasTerm: () => this.core.term > 0,
      restart: (loadedNow) => this.#restart(loadedNow),
      failed: (error) => this.stop(error),
    });
    this.#reader = new LogReader(options.logStore, () => this.core, this.#logger);
    this.#rpcs = new RpcDesk({
      transport: options.transport,
      counters: this.counters,
      feed: (input) => this.feed(input),
      refuses: () => this.#refusesRequests(),
    });
    this.#waiters = new AppliedWaiters({
      clock: this.clock,
      appliedIndex: () => this.appliedIndex,
      readable: () => this.readable,
      error: (failure) => this.withLeader(failure),
    });
    this.proposals = new ProposalQueue({
      clock: this.clock,
      outcomeGraceMs: config.outcomeGraceMs,
      maxWaitingBytes: config.maxUncommittedBytes,
      submit: (proposals) => this.feed({ type: 'propose', proposals, wallNowMs: this.clock.wallNow() }),
      error: (failure) => this.withLeader(failure),
    });
    this.loop = new CoreLoop(this.#makeCore(loaded), {
      clock: this.clock,
      random: this.#random,
      carryOut: (effect) => this.#carryOut(effect),
      settled: () => this.#settled(),
      late: (lagMs) => this.histograms.eventLoopLagMs.record(lagMs),
      broken: (error) => this.stop(unexplained(error)),
    });
    this.applyLane = this.#makeApplyLane(loaded.snapshot);
    this.snapshots = this.#makeSnapshotLane(loaded.snapshot);
  }

  get core(): RaftCore {
    return this.loop.core;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  get failure(): RaftError | null {
    return this.#failure;
  }

  get appliedIndex(): LogIndex {
    return this.applyLane.appliedIndex;
  }

  /** See `Raft.readable`. */
  get readable(): boolean {
    return this.appliedIndex >= this.core.redactedThrough;
  }

  get pendingProposals(): number {
    return this.proposals.size;
  }

  feed(input: Input): void {
    this.loop.feed(input);
  }

  start(): void {
    this.#rpcs.open();
    this.loop.start(this.core);
    this.snapshots.start();
  }

  /** Makes a new cluster; meanwhile peers are refused. */
  bootstrap(configuration: Configuration): Promise<void> {
    return this.#bootstrap.run(configuration);
  }

  /** Stops at once: settles every call, and starts nothing more. */
  stop(error: RaftError | null): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#failure = error;
    if (error !== null) this.#logger.error('the node stops', { id: this.options.id, error });
    this.loop.stop();
    this.applyLane.stop();
    this.snapshots.stop();
    this.proposals.stop();
    const stopped = this.stoppedError();
    this.restoreStore.stop(stopped);
    this.restoring.rejectAll(withOutcome(stopped, 'unknownOutcome'));
    for (const calls of [this.#rpcs, this.#reads, this.transfers, this.restores]) calls.rejectAll(stopped);
    this.#waiters.rejectAll(stopped);
    this.#observations.add({ event: 'shutdown', payload: { error } });
    // Otherwise the loop does it, when the state has settled.
    if (!this.loop.driving) this.#settled();
  }

  /** Resolves when nothing is written any more; after `stop`. */
  async idle(): Promise<void> {
    await this.#bootstrap.idle();
    await this.#storage.idle();
    await this.snapshots.idle();
    await this.restoreStore.idle();
  }

  stoppedError(): RaftError {
    return new RaftError('RAFT_SHUTDOWN', 'this node is stopped', {}, this.#failure ?? undefined);
  }

  /** The error of a call that the core refused; it also names who leads. */
  withLeader(failure: Failure): RaftError {
    const leader = this.core.leader;
    const known = leader === null ? {} : { leaderId: leader.id, leaderAddress: leader.address };
    return new RaftError(failure.code, failure.message, { ...failure.details, ...known }, this.#failure ?? undefined);
  }

  /** Resolves with an index to read at, once leadership is confirmed; `forward`: on a follower, the leader is asked. */
  confirmRead(forward = false, mode: ReadMode = 'quorum'): Promise<LogIndex> {
    if (this.#stopped) return Promise.reject(this.stoppedError());
    return this.#reads.open((id) => this.feed({ type: 'read', id, forward, mode }));
  }

  /** Resolves when `index` is applied here and the state may be shown. */
  appliedThrough(index: LogIndex, limitMs = Infinity): Promise<LogIndex> {
    if (this.#stopped) return Promise.reject(this.stoppedError());
    return this.#waiters.through(index, limitMs);
  }

  /** The state machine moved. */
  advanced(index: LogIndex): void {
    this.#waiters.advanced(index);
    this.feed({ type: 'applied', index });
    this.snapshots.advanced();
  }

  // --- what a node is made of -------------------------------------------------------------------------------------

  #makeCore(loaded: LoadedState): RaftCore {
    return new RaftCore({
      id: this.options.id,
      address: this.options.address,
      config: this.config,
      hardState: loaded.hardState,
      terms: loaded.terms,
      configurations: loaded.configurations,
      snapshotIndex: loaded.snapshot?.index ?? 0,
      redactedThrough: loaded.redactedThrough,
    });
  }

  #restart(loaded: LoadedState): void {
    if (this.#stopped) throw this.stoppedError();
    this.loop.start(this.#makeCore(loaded));
  }

  #makeApplyLane(snapshot: SnapshotMeta | null): ApplyLane<Response> {
    return new ApplyLane<Response>(
      {
        stateMachine: this.options.stateMachine,
        clock: this.clock,
        readEntries: this.#reader.forApplying(this.options.stateMachine),
        readEntry: (index) => this.#reader.readOne(index),
        termOf: (index) => (index < this.core.firstIndex ? undefined : this.core.termAt(index)),
        entryApplied: (entry, response) => {
          const size = entrySize(entry);
          this.counters.entriesApplied++;
          this.counters.bytesApplied += size;
          this.snapshots.applied(size);
          this.proposals.applied(entry.index, entry.term, response as Response);
        },
        measured: (entries, tookMs) => {
          this.histograms.applyEntries.record(entries);
          this.histograms.applyMs.record(tookMs);
        },
        configurationApplied: (configuration) => this.#configurationApplied(configuration),
        advanced: (index) => this.advanced(index),
        redacted: (tombstones, through) => {
          this.snapshots.redacted(tombstones);
          this.feed({ type: 'redacted', tombstones, through });
        },
        failed: (error) => this.stop(error),
      },
      snapshot?.index ?? 0,
      snapshot?.term ?? 0,
    );
  }

  #makeSnapshotLane(last: SnapshotMeta | null): SnapshotLane {
    const { id, address, snapshotStore: store, logStore, transport } = this.options;
    return new SnapshotLane(
      {
        ...{ id, address, store, logStore, transport, clock: this.clock, random: this.#random, logger: this.#logger },
        config: () => this.config,
        feed: (input) => this.feed(input),
        appliedIndex: () => this.appliedIndex,
        commitIndex: () => this.core.commitIndex,
        readable: () => this.readable,
        freeze: () => this.applyLane.freeze(),
        configurationAt: (index) => this.core.configurationAt(index),
        restore: async (meta) => {
          await this.applyLane.restore(meta, () => store.open(meta.id));
          this.proposals.passed(meta.index);
        },
        restored: () => this.advanced(this.appliedIndex),
      },
      last,
    );
  }

  // --- what the core wants done -----------------------------------------------------------------------------------

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case 'persist':
        return this.#storage.push(effect);
      case 'send':
        return this.#rpcs.send(effect);
      case 'reply':
        return this.#rpcs.reply(effect.requestId, effect.response);
      case 'refuseRequest':
        return this.#rpcs.refuse(effect.requestId, effect.failure);
      case 'commit':
        this.#appendTimes.committed(effect.index, this.clock.now());
        return this.applyLane.commit(effect.index);
      case 'proposed':
        this.counters.entriesProposed += effect.ids.length;
        this.#appendTimes.appended(effect.firstIndex, effect.ids.length, this.clock.now());
        return this.proposals.appended(effect, this.core.leaderEpoch ?? 0);
      case 'refuseProposals':
        this.counters.proposalsRefused += effect.ids.length;
        return this.proposals.refused(effect);
      case 'readLog':
        return this.#reader.readFor(effect, (input) => this.feed(input));
      case 'sendSnapshot':
        return this.snapshots.send(effect);
      case 'cancelSnapshot':
        return this.snapshots.cancelSending(effect.peerId);
      case 'receiveSnapshot':
        return this.snapshots.receive(effect);
      case 'resolveReads':
        this.counters.readsConfirmed += effect.ids.length;
        for (const id of effect.ids) this.#reads.take(id)?.resolve(effect.index);
        return;
      case 'refuseReads':
        this.counters.readsRefused += effect.ids.length;
        for (const id of effect.ids) this.#reads.take(id)?.reject(this.withLeader(effect.failure));
        return;
      case 'transferDone': {
        if (effect.failure !== null) this.counters.transfersFailed++;
        const waiter = this.transfers.take(effect.id);
        if (effect.failure !== null) return waiter?.reject(this.withLeader(effect.failure));
        return waiter?.resolve({ target: effect.target ?? '', term: effect.term });
      }
      case 'restoreBegun': {
        const waiter = this.restores.take(effect.id);
        return effect.failure === null ? waiter?.resolve(effect) : waiter?.reject(this.withLeader(effect.failure));
      }
      case 'observe':
        return this.#observe(effect.observation);
      case 'halt':
        return this.stop(toError(effect.failure));
    }
  }

  #observe(observation: Observation): void {
    this.#observations.add(observation);
    countObservation(this.counters, observation);
    if (observation.event !== 'stateChange' || observation.payload.from !== 'leader') return;
    this.proposals.leadershipEnded();
    this.#appendTimes.clear();
    this.#waiters.leadershipEnded(this.core.commitIndex);
  }

  #settled(): void {
    if (this.#observations.tell() && this.#stopped) this.events.close();
  }

  #refusesRequests(): RaftError | null {
    if (this.#stopped) return this.stoppedError();
    if (!this.#bootstrap.running) return null;
    return new RaftError('RAFT_TRANSPORT_FAILED', 'this node is being bootstrapped; try again');
  }

  #persisted(writes: readonly Persist[], tookMs: MonotonicMs): void {
    if (this.#stopped) return;
    this.counters.storeWrites++;
    this.histograms.storeWriteMs.record(tookMs);
    const entries = appendedBy(writes);
    if (entries > 0) this.histograms.storeWriteEntries.record(entries);
    const last = writes.at(-1)!;
    for (const write of writes) for (const effect of write.then) this.#carryOut(effect);
    this.feed({ type: 'persisted', seq: last.seq, logEpoch: last.logEpoch, lastIndex: last.lastIndex });
  }

  #storeFailed(error: unknown): void {
    this.feed({ type: 'persistFailed' });
    this.stop(
      error instanceof RaftError ? error : new RaftError('RAFT_STORE_FAILED', 'a write to the store failed', {}, error),
    );
  }

  /** A committed configuration without this node ends it, once it has answered what it still knows. */
  #configurationApplied(configuration: Configuration): void {
    if (!this.#removal.applied(configuration, this.core.configuration.configuration)) return;
    if (this.config.shutdownOnRemove) this.clock.defer(() => this.stop(null));
  }
}

function toError(failure: Failure): RaftError {
  return new RaftError(failure.code, failure.message, failure.details);
}

function unexplained(error: unknown): RaftError {
  return new RaftError('RAFT_STORE_FAILED', 'the node met an error that it cannot explain', {}, error);
}
