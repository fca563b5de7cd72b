import {
  DEFAULT_RAFT_CONFIG,
  Raft,
  RaftError,
  recoverCluster,
  type Configuration,
  type ConfigurationAt,
  type LogEnd,
  type RaftOptions,
  type RaftState,
  type ServerId,
  type SnapshotMeta,
  type Term,
} from '@discovery-raft/raft-core';
import { SimLogStore, SimSnapshotStore, SimStableStore } from '../disk/stores.js';
import { NO_DISK_FAULTS, type DiskSession, type SimDisk } from '../disk/sim-disk.js';
import { addressOf, type SimNetwork } from '../network/sim-network.js';
import type { Dice } from '../scenario/dice.js';
import type { Scenario } from '../scenario/scenario.js';
import { ProcessClock, type Skew } from '../time/process-clock.js';
import type { VirtualClock } from '../time/virtual-clock.js';
import { RegisterMachine, type Command, type Previous } from './register-machine.js';
import type { LogEntry } from '@discovery-raft/raft-core';

/** One run of a server's process: from a start to a crash or a shutdown. */
export interface Incarnation {
  readonly number: number;
  readonly clock: ProcessClock;
  readonly session: DiskSession;
  readonly machine: RegisterMachine;
  /** Null until the node has started. */
  raft: Raft<Previous> | null;
  /** When the node had started, by the process's clock. */
  startedAt: number;
  /** As reloaded last. */
  heartbeatTimeoutMs: number;
  /** The role as events told it, and its term. */
  role: RaftState;
  roleTerm: Term;
  /** A fault was injected that may stop the node. */
  excused: boolean;
  /** It was told to shut down. */
  leaving: boolean;
}

/**
 * What a server is for the operator.
 *
 * - `spare`: not in use yet, with an empty disk;
 * - `used`: its process is kept running;
 * - `held`: the operator keeps it down while he recovers the cluster;
 * - `gone`: it was removed and has ended by itself; it never returns.
 */
export type Part = 'spare' | 'used' | 'held' | 'gone';

/** What a node tells the simulation. */
export interface NodeEvents {
  ran(node: SimNode): void;
  started(node: SimNode): void;
  startFailed(node: SimNode, error: unknown): void;
  roleChanged(node: SimNode, from: RaftState): void;
  committed(node: SimNode, index: number): void;
  configurationTaken(node: SimNode, configuration: ConfigurationAt): void;
  snapshotInstalled(node: SimNode, index: number): void;
  commandApplied(node: SimNode, entry: LogEntry, command: Command): void;
  stopped(node: SimNode, error: Error | null): void;
}

/** A server of the simulation: its disk lasts, its processes come and go. */
export class SimNode {
  readonly id: ServerId;
  readonly disk: SimDisk;
  process: Incarnation | null = null;
  part: Part;
  bootstrapped = false;
  /** It has begun anew from a restored state that the others do not have, and has stopped for that. */
  ruined = false;
  readonly #world: VirtualClock;
  readonly #network: SimNetwork;
  readonly #scenario: Scenario;
  readonly #skew: Skew;
  readonly #dice: Dice;
  readonly #events: NodeEvents;
  #incarnations = 0;

  constructor(parts: {
    id: ServerId;
    part: Part;
    disk: SimDisk;
    world: VirtualClock;
    network: SimNetwork;
    scenario: Scenario;
    skew: Skew;
    dice: Dice;
    events: NodeEvents;
  }) {
    this.id = parts.id;
    this.part = parts.part;
    // Who joins a cluster must not make one.
    this.bootstrapped = parts.part === 'spare';
    this.disk = parts.disk;
    this.#world = parts.world;
    this.#network = parts.network;
    this.#scenario = parts.scenario;
    this.#skew = parts.skew;
    this.#dice = parts.dice;
    this.#events = parts.events;
  }

  /** The running node, null when there is none. */
  get raft(): Raft<Previous> | null {
    return this.process?.raft ?? null;
  }

  /** The process and its node, null while there is none or it has not started. */
  get running(): { readonly process: Incarnation; readonly raft: Raft<Previous> } | null {
    const { process, raft } = this;
    return process === null || raft === null ? null : { process, raft };
  }

  get machine(): RegisterMachine | null {
    return this.process?.machine ?? null;
  }

  /** Starts a process from what the disk holds. */
  start(): void {
    if (this.process !== null || this.part !== 'used') return;
    const clock = new ProcessClock(this.#world, this.#skew, () => this.#events.ran(this));
    const session = this.disk.open(clock);
    const machine = new RegisterMachine(this.#scenario.redacts, (entry, command) =>
      this.#events.commandApplied(this, entry, command),
    );
    const incarnation: Incarnation = {
      number: ++this.#incarnations,
      clock,
      session,
      machine,
      raft: null,
      startedAt: Infinity,
      heartbeatTimeoutMs: this.#scenario.config.heartbeatTimeoutMs ?? DEFAULT_RAFT_CONFIG.heartbeatTimeoutMs,
      role: 'follower',
      roleTerm: 0,
      excused: false,
      leaving: false,
    };
    this.process = incarnation;
    Raft.create<Previous>({
      id: this.id,
      address: addressOf(this.id),
      transport: this.#network.connect(this.id, clock),
      ...this.#storesOn(session),
      stateMachine: machine,
      clock,
      random: this.#dice.fork(),
      config: this.#scenario.config,
    }).then(
      (raft) => this.#started(incarnation, raft),
      (error: unknown) => {
        if (this.process !== incarnation) return;
        this.kill();
        this.#events.startFailed(this, incarnation.excused ? null : error);
      },
    );
  }

  #started(incarnation: Incarnation, raft: Raft<Previous>): void {
    if (this.process !== incarnation) return;
    incarnation.raft = raft;
    incarnation.roleTerm = raft.term;
    incarnation.startedAt = incarnation.clock.now();
    const live = (action: () => void): void => {
      if (this.process === incarnation) action();
    };
    raft.on('stateChange', ({ from, to, term }) =>
      live(() => {
        incarnation.role = to;
        incarnation.roleTerm = term;
        this.#events.roleChanged(this, from);
      }),
    );
    raft.on('commit', ({ index }) => live(() => this.#events.committed(this, index)));
    raft.on('configurationChange', (configuration) => live(() => this.#events.configurationTaken(this, configuration)));
    raft.on('snapshotInstalled', ({ meta }) => live(() => this.#events.snapshotInstalled(this, meta.index)));
    raft.on('shutdown', ({ error }) => live(() => this.#events.stopped(this, error)));
    this.#events.started(this);
  }

  /** Makes this server a member of a new cluster; safe to call on a server that is one. */
  async bootstrap(configuration: Configuration): Promise<void> {
    const { raft } = this;
    if (raft === null) return;
    try {
      await raft.bootstrap(configuration);
    } catch (error) {
      if (!(error instanceof RaftError) || error.code !== 'RAFT_ALREADY_BOOTSTRAPPED') throw error;
    }
    this.bootstrapped = true;
  }

  /**
   * Recovers what the disk holds, with the disk working, while no process runs.
   *
   * @param expectedEnd where the log must end
   * @param interruptMs after this the recovering process is killed and another one begins anew
   */
  recover(configuration: Configuration, expectedEnd: LogEnd, interruptMs: number): Promise<SnapshotMeta> {
    Object.assign(this.disk.faults, NO_DISK_FAULTS);
    const clock = new ProcessClock(this.#world, this.#skew, () => undefined);
    const session = this.disk.open(clock);
    const attempt = recoverCluster({
      ...this.#storesOn(session),
      stateMachine: new RegisterMachine(this.#scenario.redacts, () => undefined),
      configuration,
      expectedEnd,
    });
    if (interruptMs === Infinity) return attempt;
    return new Promise((resolve, reject) => {
      let over = false;
      const settle = (how: () => void) => (): void => {
        if (!over) how();
        over = true;
      };
      attempt.then(
        (meta) => settle(() => resolve(meta))(),
        (error: unknown) => settle(() => reject(error instanceof Error ? error : new Error(String(error))))(),
      );
      this.#world.schedule(
        interruptMs,
        settle(() => {
          clock.kill();
          session.crash();
          this.recover(configuration, expectedEnd, Infinity).then(resolve, reject);
        }),
      );
    });
  }

  #storesOn(session: DiskSession): Pick<RaftOptions<Previous>, 'logStore' | 'stableStore' | 'snapshotStore'> {
    return {
      logStore: new SimLogStore(session),
      stableStore: new SimStableStore(session),
      snapshotStore: new SimSnapshotStore(session, this.#dice.fork()),
    };
  }

  /** Kills the process: what it had under way on the disk may have happened, its promises never settle. */
  kill(): void {
    const { process } = this;
    if (process === null) return;
    this.process = null;
    process.clock.kill();
    process.session.crash();
  }
}
