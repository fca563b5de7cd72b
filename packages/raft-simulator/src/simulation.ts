import { EntryType, type LogIndex } from '@discovery-raft/raft-core';
import type { Violation } from './checkers/checker.js';
import { makePanel, type Panel } from './checkers/panel.js';
import { Clients } from './clients/clients.js';
import type { Operation } from './clients/operation.js';
import { Operator } from './clients/operator.js';
import { Convergence } from './convergence.js';
import { describeMessage, numbersOf } from './describe.js';
import { Journal } from './journal.js';
import { SimNetwork, type Sent } from './network/sim-network.js';
import { Disaster, type Recovery } from './node/disaster.js';
import { decodeCommand } from './node/register-machine.js';
import { Servers, textOf } from './node/servers.js';
import type { SimNode } from './node/sim-node.js';
import { Dice } from './scenario/dice.js';
import { Nemesis } from './scenario/nemesis.js';
import { drawScenario, type Scenario } from './scenario/scenario.js';
import { VirtualClock } from './time/virtual-clock.js';

/** Virtual milliseconds of the three phases. */
export interface Phases {
  /** Faults and load. */
  readonly safetyMs: number;
  /** Without faults: within this time the cluster must elect, commit and converge. */
  readonly convergeWithinMs: number;
  /** The whole: until then the leader must stay, and every operation succeed. */
  readonly totalMs: number;
}

/** Twenty seconds of faults, ten to recover and to show it. */
export const PHASES: Phases = { safetyMs: 20_000, convergeWithinMs: 8000, totalMs: 30_000 };

/** How long operations and shutdowns may take in the end. */
const LAST_CALLS_MS = 5000;

/**
 * More time to recover when the membership changes: logs and configurations may then be divided such that one server
 * alone can win and another competes with it, and chance decides who times out first.
 */
const CHANGES_SLACK_MS = 8000;

/** The calm part lasts this long, however late convergence came. */
const LEAST_CALM_MS = 2000;

/** What a simulation came to. */
export interface SimulationResult {
  readonly seed: number;
  /** Equal for equal runs. */
  readonly traceHash: string;
  readonly traceEvents: number;
  /** Readable, when it was asked for. */
  readonly trace: readonly string[];
  /** The first rule that was broken, null when none was. */
  readonly violation: Violation | null;
  readonly servers: number;
  /** Virtual milliseconds from the end of the faults to convergence. */
  readonly convergedAfterMs: number;
  readonly committed: number;
  readonly operations: Readonly<Record<'ok' | 'failed' | 'unknown' | 'open', number>>;
}

/**
 * Runs the simulation of one seed.
 *
 * @param options `record`: keep the readable trace; `phases`: default {@link PHASES}
 */
export function simulate(
  seed: number,
  options: { readonly record?: boolean; readonly phases?: Phases } = {},
): Promise<SimulationResult> {
  return new Simulation(drawScenario(seed), options.record ?? false, options.phases ?? PHASES).run();
}

/** A cluster, its clients, its faults and its checkers, in virtual time. */
class Simulation {
  readonly #scenario: Scenario;
  readonly #phases: Phases;
  readonly #world = new VirtualClock();
  readonly #journal: Journal;
  readonly #servers: Servers;
  readonly #panel: Panel;
  readonly #network: SimNetwork;
  readonly #clients: Clients;
  readonly #operator: Operator;
  readonly #nemesis: Nemesis;
  readonly #convergence: Convergence;
  readonly #disaster: Disaster;
  #phase: 'faults' | 'recovery' | 'calm' | 'end' = 'faults';
  /** Operations of a greater id began when nothing was wrong. */
  #calmFrom = 0;
  #convergedAfterMs = 0;

  constructor(scenario: Scenario, record: boolean, phases: Phases) {
    this.#scenario = scenario;
    this.#phases = phases;
    this.#journal = new Journal(this.#world, record);
    const dice = new Dice(scenario.seed ^ 0x5bd1e995);
    this.#network = this.#makeNetwork(dice);
    this.#servers = this.#makeServers(dice);
    this.#panel = makePanel(this.#servers, scenario.config, this.#journal);
    this.#clients = this.#makeClients(dice);
    this.#operator = this.#makeOperator(dice);
    this.#nemesis = this.#makeNemesis(dice);
    this.#convergence = new Convergence({
      scenario,
      world: this.#world,
      servers: this.#servers,
      panel: this.#panel,
      clients: this.#clients,
      operator: this.#operator,
    });
    this.#disaster = this.#makeDisaster(dice);
  }

  #makeNetwork(dice: Dice): SimNetwork {
    return new SimNetwork(
      this.#world,
      dice.fork(),
      { ...this.#scenario.calm },
      {
        sent: (sent) => this.#sent(sent),
        arriving: ({ id }, from, message) => {
          const node = this.#servers.node(id);
          for (const checker of this.#panel.hearing.arriving) checker.arriving?.(node, from, message);
        },
        arrived: ({ id }, from, request) => {
          const node = this.#servers.node(id);
          for (const checker of this.#panel.hearing.arrived) checker.arrived?.(node, from, request);
        },
        answering: ({ id }, answer) => this.#servers.answering(id, answer),
      },
    );
  }

  #makeServers(dice: Dice): Servers {
    // Read when it is asked for, since what it hands on is made after the servers.
    const simulation = (): Simulation => this;
    return new Servers({
      scenario: this.#scenario,
      world: this.#world,
      network: this.#network,
      dice,
      journal: this.#journal,
      host: {
        get panel() {
          return simulation().#panel;
        },
        get faulty() {
          return simulation().#phase === 'faults';
        },
        get ending() {
          return simulation().#phase === 'end';
        },
        members: () => this.#convergence.members(),
        roleChanged: (node) => this.#roleChanged(node),
        died: (process) => this.#clients.processDied(process),
      },
    });
  }

  #makeClients(dice: Dice): Clients {
    return new Clients({
      world: this.#world,
      dice: dice.fork(),
      nodes: this.#servers.nodes,
      load: this.#scenario.load,
      promises: this.#panel.promises,
      events: {
        invoked: (operation) => this.#invoked(operation),
        completed: (operation) => this.#completed(operation),
      },
    });
  }

  #makeOperator(dice: Dice): Operator {
    return new Operator({
      world: this.#world,
      dice: dice.fork(),
      nodes: this.#servers.nodes,
      everyMs: this.#scenario.changeEveryMs,
      promises: this.#panel.promises,
      hands: {
        join: (node) => {
          this.#nemesis.infect(node);
          this.#servers.join(node);
        },
        changed: (...what) => {
          for (const checker of this.#panel.checkers) checker.changed?.(...what);
        },
        mustWait: () => this.#clients.restoring,
        note: (what, detail) => this.#journal.note('oper', what, [], () => detail),
      },
    });
  }

  #makeNemesis(dice: Dice): Nemesis {
    const servers = this.#servers;
    return new Nemesis({
      world: this.#world,
      network: this.#network,
      nodes: servers.nodes,
      scenario: this.#scenario,
      dice: dice.fork(),
      hands: {
        crash: (node, outageMs) => servers.crash(node, outageMs),
        stop: (node, outageMs) => servers.shutDown(node, outageMs),
        transfer: (node, target) => servers.transfer(node, target),
        snapshot: (node) => servers.snapshot(node),
        restore: (node) => this.#restore(node),
        reload: (node, config) => servers.reload(node, config),
        flood: (node) => this.#clients.flood(node),
        touch: (node) => this.#clients.touch(node),
        note: (what, detail) => this.#journal.note('nemesis', what, [], () => detail),
      },
    });
  }

  /** One at a time; and none while a server may be ruined by the last one, or too few could be left. */
  #restore(node: SimNode): void {
    const { log, linearizability } = this.#panel;
    const { nodes } = this.#servers;
    if (this.#clients.restoring || nodes.some((other) => other.ruined || log.isAstray(other))) return;
    this.#clients.restore(node, {
      begun: (text) => log.restoreBegun(text),
      isOnDisk: (text) => log.restoreOf(text).meta !== null,
      inDoubt: false,
      doubt: (moment) => linearizability.doubt(moment),
      certain: (moment) => linearizability.certain(moment),
    });
  }

  #makeDisaster(dice: Dice): Disaster {
    return new Disaster({
      world: this.#world,
      network: this.#network,
      servers: this.#servers,
      panel: this.#panel,
      journal: this.#journal,
      dice: dice.fork(),
      members: () => this.#convergence.members(),
      recovered: (kept) => this.#goOnFrom(kept),
    });
  }

  /** The history is over, and another one begins with what the servers that are left hold. */
  #goOnFrom(recovery: Recovery): void {
    const { log, linearizability, checkers } = this.#panel;
    for (const checker of checkers) checker.recovered?.(recovery);
    const values = new Map<string, LogIndex>();
    for (let index = 1; index <= log.lastIndex; index++) {
      const entry = log.entryAt(index)!;
      if (entry.type === EntryType.command) values.set(decodeCommand(entry.data).value, index);
    }
    linearizability.split(this.#clients.history, log.registers.values());
    this.#clients.undone(values);
  }

  async run(): Promise<SimulationResult> {
    const { safetyMs, convergeWithinMs, totalMs } = this.#phases;
    this.#servers.start();
    this.#clients.start(false);
    this.#nemesis.start();
    this.#operator.start();
    const { disasterAtMs } = this.#scenario;
    if (disasterAtMs > 0) this.#disaster.strikeLater(disasterAtMs, () => this.#phase === 'faults');
    await this.#until(safetyMs);
    if (!this.#failed) await this.#recover(safetyMs + convergeWithinMs + this.#slackMs);
    if (!this.#failed) {
      this.#phase = 'calm';
      this.#calmFrom = this.#clients.history.length;
      this.#convergence.sweep(() => true, true);
      this.#clients.start(true);
      this.#grow();
      await this.#until(Math.max(totalMs, this.#world.now + LEAST_CALM_MS));
    }
    if (!this.#failed) await this.#end();
    this.#servers.killAll();
    return this.#result();
  }

  get #failed(): boolean {
    return this.#journal.violation !== null;
  }

  get #slackMs(): number {
    return this.#scenario.changeEveryMs > 0 ? CHANGES_SLACK_MS : 0;
  }

  /** The faults are over: within the time given the cluster must be one again. */
  async #recover(deadlineMs: number): Promise<void> {
    this.#phase = 'recovery';
    const begin = this.#world.now;
    this.#journal.note('sim', 'faults over');
    this.#clients.stop();
    this.#nemesis.stop();
    this.#operator.stop();
    if (this.#scenario.faults.reloadEveryMs > 0) this.#servers.reloadAll();
    for (const node of this.#servers.nodes) this.#servers.restart(node);
    this.#convergence.sweep((node) => this.#operator.hasRetired(node.id));
    await this.#until(deadlineMs, () => this.#convergence.reached());
    this.#convergedAfterMs = this.#world.now - begin;
    this.#journal.note('sim', 'converged', [this.#world.now]);
    if (this.#failed || this.#convergence.reached()) return;
    const what = `no convergence ${deadlineMs - begin} ms after the faults: ${this.#servers.describe()}`;
    this.#journal.report('liveness', 'recovery', what);
  }

  /** Now that nothing is wrong, a server that joins must become a voter, if one is left that has not joined. */
  #grow(): void {
    const leader = this.#convergence.leader();
    if (leader === undefined) return;
    this.#operator.grow(leader)?.catch((error: unknown) => {
      this.#journal.report('liveness', 'calm operation', `a server does not become a voter: ${textOf(error)}`);
    });
  }

  async #end(): Promise<void> {
    const { promises, checkers } = this.#panel;
    this.#clients.stop();
    await this.#until(this.#world.now + LAST_CALLS_MS, () => this.#convergence.reached() && promises.idle);
    if (this.#failed) return;
    if (!this.#convergence.reached()) {
      const what = `no convergence in the end: ${this.#servers.describe()}`;
      return this.#journal.report('liveness', 'recovery', what);
    }
    promises.finished(null);
    this.#phase = 'end';
    for (const checker of checkers) checker.finished?.(this.#clients.history);
    for (const node of this.#servers.nodes) this.#servers.shutDown(node, Infinity);
    await this.#until(this.#world.now + LAST_CALLS_MS);
    promises.finished(null);
  }

  #until(endMs: number, done: () => boolean = () => false): Promise<void> {
    return this.#world.run(
      endMs,
      () => this.#servers.settled(),
      () => this.#failed || done(),
    );
  }

  #roleChanged(node: SimNode): void {
    if (this.#phase !== 'calm' || !this.#convergence.members().includes(node)) return;
    const { role, roleTerm } = node.process!;
    const what = `${node.id} becomes ${role} in term ${roleTerm}, and nothing is wrong`;
    this.#journal.report('liveness', 'stable leadership', what);
  }

  #sent(sent: Sent): void {
    const { from, to, message } = sent;
    const numbers = [Number(to.slice(1)), ...numbersOf(message)];
    this.#journal.note(from, message.kind, numbers, () => `to ${to}: ${describeMessage(message)}`);
    for (const checker of this.#panel.hearing.sent) checker.sent?.(sent);
  }

  #invoked(operation: Operation): void {
    const { id, client, kind, key, value, server } = operation;
    const what = value === null ? key : `${key}=${value}`;
    this.#journal.note(client, kind, [id], () => `${id}: ${what} at ${server}`);
    for (const checker of this.#panel.checkers) checker.invoked?.(operation);
  }

  #completed(operation: Operation): void {
    const { id, client, outcome, index, readIndex, value, error } = operation;
    this.#journal.note(client, outcome, [id, index, readIndex], () => `${id}: ${value} ${index} ${readIndex} ${error}`);
    for (const checker of this.#panel.checkers) checker.completed?.(operation);
    if (this.#phase === 'calm' && id > this.#calmFrom && outcome !== 'ok' && !isExcused(operation)) {
      const what = `operation ${id} is ${outcome} (${error}), and nothing is wrong`;
      this.#journal.report('liveness', 'calm operation', what);
    }
  }

  #result(): SimulationResult {
    const { trace, violation } = this.#journal;
    const operations = { ok: 0, failed: 0, unknown: 0, open: 0 };
    for (const { outcome } of this.#clients.history) operations[outcome]++;
    return {
      seed: this.#scenario.seed,
      traceHash: trace.hash,
      traceEvents: trace.events,
      trace: trace.lines,
      violation,
      servers: this.#servers.nodes.length,
      convergedAfterMs: this.#convergedAfterMs,
      committed: this.#panel.log.lastIndex,
      operations,
    };
  }
}

/**
 * What may be refused although nothing is wrong: too much at once; and a read of a follower whose disk is slow, which has not
 * applied in time what was committed, or what superseded the entries that it holds as tombstones.
 */
function isExcused({ kind, error }: Operation): boolean {
  if (error === 'RAFT_OVERLOADED' || error === 'RAFT_ENTRY_TOO_LARGE') return true;
  return kind === 'read' && error === 'RAFT_TIMEOUT';
}
