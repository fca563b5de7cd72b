import {
  DEFAULT_RAFT_CONFIG,
  RaftError,
  RELOADABLE_OPTIONS,
  type CallOptions,
  type ReloadableConfig,
  type RpcResponse,
  type ServerId,
} from '@discovery-raft/raft-core';
import type { Checker, Cluster } from '../checkers/checker.js';
import type { Panel } from '../checkers/panel.js';
import { describeConfiguration } from '../checkers/quorum.js';
import { describeWrite } from '../describe.js';
import { SimDisk } from '../disk/sim-disk.js';
import type { Journal } from '../journal.js';
import type { SimNetwork } from '../network/sim-network.js';
import type { Dice } from '../scenario/dice.js';
import type { Scenario, ServerPlan } from '../scenario/scenario.js';
import type { VirtualClock } from '../time/virtual-clock.js';
import { SimNode, type Incarnation, type NodeEvents } from './sim-node.js';

/** How long a server that the disk has killed in the middle of a write stays down, on average. */
const DISK_CRASH_OUTAGE_MS = 500;

/** How long a server stays down that has stopped because of an error. */
const ERROR_OUTAGE_MS = 200;

/** What the servers ask of the simulation. */
export interface ServersHost {
  readonly panel: Panel;
  /** While there are faults; later servers come back at once, and none crashes. */
  readonly faulty: boolean;
  /** In the very end nobody comes back. */
  readonly ending: boolean;
  /** Servers of the last configuration that is committed. */
  members(): readonly SimNode[];
  roleChanged(node: SimNode): void;
  /** A process was killed. */
  died(process: Incarnation): void;
}

/** The servers of a simulation: how they start, crash, stop, come back and leave, and what they tell the checkers. */
export class Servers implements Cluster {
  readonly nodes: readonly SimNode[];
  readonly #byId = new Map<ServerId, SimNode>();
  readonly #scenario: Scenario;
  readonly #world: VirtualClock;
  readonly #network: SimNetwork;
  readonly #dice: Dice;
  readonly #journal: Journal;
  readonly #host: ServersHost;
  readonly #ran = new Set<SimNode>();

  /** @param parts `host` is not called before the first server starts */
  constructor(parts: {
    scenario: Scenario;
    world: VirtualClock;
    network: SimNetwork;
    dice: Dice;
    journal: Journal;
    host: ServersHost;
  }) {
    this.#scenario = parts.scenario;
    this.#world = parts.world;
    this.#network = parts.network;
    this.#dice = parts.dice;
    this.#journal = parts.journal;
    this.#host = parts.host;
    this.nodes = parts.scenario.servers.map((plan) => this.#makeNode(plan));
    for (const node of this.nodes) this.#byId.set(node.id, node);
  }

  node(id: ServerId): SimNode {
    const node = this.#byId.get(id);
    if (node === undefined) throw new Error(`there is no server ${id}`);
    return node;
  }

  /** Starts all that are in use, and has them bootstrapped when the scenario says so. */
  start(): void {
    for (const node of this.nodes) node.start();
    for (const { id, bootstrapAtMs } of this.#scenario.servers) {
      if (bootstrapAtMs !== null) this.#bootstrap(this.node(id), bootstrapAtMs);
    }
  }

  /** Everything that a turn has set off has happened: lets the checkers look at who ran. */
  settled(): void {
    if (this.#ran.size === 0) return;
    const { settled } = this.#host.panel.hearing;
    for (const node of this.#ran) for (const checker of settled) checker.settled?.(node);
    this.#ran.clear();
  }

  /** Starts a spare server. The cluster will tell it the rest. */
  join(node: SimNode): void {
    if (node.part !== 'spare') return;
    node.part = 'used';
    this.#journal.note(node.id, 'joins');
    node.start();
  }

  /** Kills a server and keeps it down until it is released. */
  hold(node: SimNode): void {
    node.part = 'held';
    this.#kill(node);
  }

  /** Starts a server that was kept down. */
  release(node: SimNode): void {
    node.part = 'used';
    this.restart(node);
  }

  crash(node: SimNode, outageMs: number): void {
    if (node.process === null) return;
    this.#journal.note(node.id, 'crashes', [], () => `for ${outageMs.toFixed(0)} ms`);
    this.#kill(node);
    this.#restartLater(node, outageMs);
  }

  /** Ends a server that does not belong to the cluster; what it has sent does not arrive either. */
  switchOff(node: SimNode): void {
    node.part = 'gone';
    this.#journal.note(node.id, 'is switched off');
    this.#kill(node);
    for (const other of this.nodes) this.#network.cuts.cut(node.id, other.id);
  }

  /** Shuts a node down as an operator does: waits for its shutdown, then ends the process. */
  shutDown(node: SimNode, outageMs: number): void {
    const { running } = node;
    if (running === null) return;
    const { process, raft } = running;
    process.leaving = true;
    this.#journal.note(node.id, 'shuts down');
    process.clock.run(() => {
      const down = raft.shutdown();
      this.#watch(process, `shutdown of ${node.id}`, down);
      void down.then(() => {
        this.#journal.note(node.id, 'is down');
        if (outageMs === Infinity || node.process !== process) return;
        // What it owes to its callers is paid by now.
        this.#world.schedule(1, () => {
          if (node.process !== process) return;
          if (!process.clock.paused) this.#host.panel.promises.finished(process);
          this.#kill(node);
          this.#restartLater(node, outageMs);
        });
      });
    });
  }

  /** Starts a server that is down and in use. */
  restart(node: SimNode): void {
    if (node.process !== null || node.part !== 'used' || this.#host.ending) return;
    node.start();
    if (!node.bootstrapped) this.#bootstrap(node, 20);
  }

  transfer(node: SimNode, target: ServerId | null): void {
    const { running } = node;
    if (running === null) return;
    const { process, raft } = running;
    this.#journal.note(node.id, 'transfers', [], () => `to ${target ?? 'anyone'}`);
    process.clock.run(() => {
      const limits: CallOptions = this.#dice.chance(0.3) ? this.#patienceOf(process) : {};
      this.#watch(process, `transfer by ${node.id}`, raft.leadershipTransfer(target, limits));
    });
  }

  /** Gives a server other options, as long as its process lives. */
  reload(node: SimNode, config: Partial<ReloadableConfig>): void {
    const { running } = node;
    if (running === null) return;
    const { process, raft } = running;
    this.#journal.note(node.id, 'reloads', [], () => JSON.stringify(config));
    process.clock.run(() => {
      if (raft.state === 'shutdown') return;
      raft.reloadConfig(config);
      process.heartbeatTimeoutMs = config.heartbeatTimeoutMs ?? process.heartbeatTimeoutMs;
    });
  }

  /** Gives all servers the options of the scenario again. */
  reloadAll(): void {
    const config = { ...DEFAULT_RAFT_CONFIG, ...this.#scenario.config };
    const options = Object.fromEntries(RELOADABLE_OPTIONS.map((name) => [name, config[name]]));
    for (const node of this.nodes) this.reload(node, options);
  }

  /** A time limit for a call, or a signal that is aborted after a while. */
  #patienceOf(process: Incarnation): CallOptions {
    const ms = this.#dice.pick([1, 10, 200]);
    if (this.#dice.chance(0.5)) return { timeoutMs: ms };
    const abort = new AbortController();
    process.clock.setTimer(ms, () => abort.abort());
    return { signal: abort.signal };
  }

  snapshot(node: SimNode): void {
    const { running } = node;
    if (running === null) return;
    const { process, raft } = running;
    this.#journal.note(node.id, 'is to snapshot');
    process.clock.run(() => this.#watch(process, `snapshot by ${node.id}`, raft.snapshot()));
  }

  /** A server is answering a peer. */
  answering(id: ServerId, answer: Promise<RpcResponse>): void {
    const { process } = this.node(id);
    if (process !== null) this.#watch(process, `an answer of ${id} to a peer`, answer);
  }

  /** Kills all, in the end. */
  killAll(): void {
    for (const node of this.nodes) node.kill();
  }

  /** All servers in words. */
  describe(): string {
    return this.nodes
      .map(({ id, raft, process }) => {
        if (raft === null) return `${id} ${process === null ? 'down' : 'starting'}`;
        const { state, term, leader, lastIndex, commitIndex, appliedIndex, readable } = raft;
        const indexes = `last ${lastIndex} commit ${commitIndex} applied ${appliedIndex}`;
        return `${id} ${state} term ${term} of ${leader?.id ?? '?'} ${indexes}${readable ? '' : ' unreadable'}`;
      })
      .join('; ');
  }

  #tell(event: (checker: Checker) => void): void {
    for (const checker of this.#host.panel.checkers) event(checker);
  }

  #watch(process: Incarnation, what: string, promise: Promise<unknown>): void {
    this.#host.panel.promises.watch(process, what, this.#world.now, promise);
  }

  #makeNode(plan: ServerPlan): SimNode {
    const { id } = plan;
    const disk = new SimDisk(plan.disk, this.#dice.fork(), () => this.#world.now, {
      written: (write) => {
        const numbers = 'entries' in write ? write.entries.flatMap(({ index, term }) => [index, term]) : [];
        this.#journal.note(id, `stored ${write.kind}`, numbers, () => describeWrite(write));
        this.#tell((checker) => checker.written?.(this.node(id), write));
      },
      misused: (what) => this.#journal.report('safety', 'store contract', `${id}: ${what}`),
      failed: (store) => {
        const { process } = this.node(id);
        if (process !== null) process.excused = true;
        this.#journal.note(id, 'disk fails', [], () => store);
      },
      crashDue: () =>
        this.#world.schedule(this.#dice.between(0, plan.disk.writeMs), () => {
          if (this.#host.faulty) this.crash(this.node(id), this.#dice.exponential(DISK_CRASH_OUTAGE_MS));
        }),
    });
    return new SimNode({
      id,
      part: plan.bootstrapAtMs === null ? 'spare' : 'used',
      disk,
      world: this.#world,
      network: this.#network,
      scenario: this.#scenario,
      skew: plan.skew,
      dice: this.#dice.fork(),
      events: this.#nodeEvents(),
    });
  }

  #nodeEvents(): NodeEvents {
    const note: Journal['note'] = (...what) => this.#journal.note(...what);
    return {
      ran: (node) => this.#ran.add(node),
      started: (node) => this.#started(node),
      startFailed: (node, error) => this.#startFailed(node, error),
      roleChanged: (node, from) => {
        const { role, roleTerm } = node.process!;
        note(node.id, `${from} > ${role}`, [roleTerm]);
        this.#tell((checker) => checker.roleChanged?.(node, role));
        this.#host.roleChanged(node);
      },
      committed: (node, index) => {
        note(node.id, 'committed', [index]);
        this.#tell((checker) => checker.committed?.(node, index));
      },
      configurationTaken: (node, at) => {
        note(node.id, 'configuration', [at.index], () => `${at.index} ${describeConfiguration(at.configuration)}`);
        this.#tell((checker) => checker.configurationTaken?.(node, at));
      },
      snapshotInstalled: (node, index) => {
        note(node.id, 'installed snapshot', [index]);
        this.#tell((checker) => checker.snapshotInstalled?.(node, index));
      },
      commandApplied: (node, entry, command) => {
        note(node.id, 'applies', [entry.index, entry.term], () => `${entry.index} ${command.key}=${command.value}`);
        this.#tell((checker) => checker.commandApplied?.(node, entry, command));
      },
      stopped: (node, error) => this.#stopped(node, error),
    };
  }

  #bootstrap(node: SimNode, inMs: number): void {
    this.#world.schedule(inMs, () => {
      if (node.bootstrapped) return;
      void node.bootstrap(this.#scenario.configuration).then(
        () => {
          this.#journal.note(node.id, 'bootstrapped', [], () => String(node.bootstrapped));
          if (!node.bootstrapped) this.#bootstrap(node, 20);
        },
        () => this.#bootstrap(node, 20),
      );
    });
  }

  #started(node: SimNode): void {
    const { platter } = node.disk;
    this.#journal.note(node.id, 'started', [platter.firstIndex, platter.lastIndex, platter.hardState?.term ?? 0]);
    this.#ran.add(node);
    this.#tell((checker) => checker.started?.(node));
  }

  #startFailed(node: SimNode, error: unknown): void {
    this.#journal.note(node.id, 'start failed', [], () => textOf(error));
    if (error !== null) {
      this.#journal.report('safety', 'recovery from a crash', `${node.id} cannot start: ${textOf(error)}`);
    }
    this.#restartLater(node, 100);
  }

  /** A node has stopped, because of an error or because it was told to. */
  #stopped(node: SimNode, error: Error | null): void {
    if (error === null) {
      if (!node.process!.leaving) this.#left(node);
      return;
    }
    const { excused } = node.process!;
    const astray = isCorrupt(error) && this.#host.panel.log.isAstray(node);
    const why = `${error.message}: ${textOf(error.cause)}`;
    this.#journal.note(node.id, 'stopped', [], () => why);
    if (!excused && !astray) this.#journal.report('safety', 'no stop without a cause', `${node.id} stops: ${why}`);
    if (astray) {
      // The duties of the caller: it never returns; the operator replaces it when the faults are over.
      node.part = 'gone';
      node.ruined = true;
    }
    this.shutDown(node, ERROR_OUTAGE_MS);
  }

  /** A node has ended by itself since it was removed. */
  #left(node: SimNode): void {
    this.#journal.note(node.id, 'is gone');
    node.part = 'gone';
    // The commit that it acts on is told by the leader, in this turn at the latest.
    this.#world.schedule(0, () => {
      if (!this.#host.members().includes(node)) return;
      const what = `${node.id} stops as if it had been removed, and is a member`;
      this.#journal.report('safety', 'no stop without a cause', what);
    });
    this.shutDown(node, 0);
  }

  #kill(node: SimNode): void {
    const { process } = node;
    node.kill();
    if (process !== null) this.#host.died(process);
  }

  #restartLater(node: SimNode, ms: number): void {
    this.#world.schedule(this.#host.faulty ? ms : 0, () => this.restart(node));
  }
}

/** An error's message; empty for what is none. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : '';
}

function isCorrupt(error: Error): boolean {
  return error instanceof RaftError && error.code === 'RAFT_STORE_CORRUPT';
}
