import type { RpcResponse, ServerId } from '@discovery-raft/raft-core';
import { AcknowledgedChanges } from './checkers/acknowledged-changes.js';
import { AcknowledgedWrites } from './checkers/acknowledged-writes.js';
import { Bounds } from './checkers/bounds.js';
import type { Checker, Cluster, Report, Violation } from './checkers/checker.js';
import { CommittedImmutable } from './checkers/committed-immutable.js';
import { CommittedLog } from './checkers/committed-log.js';
import { ConfigurationSafety } from './checkers/configuration-safety.js';
import { Configurations } from './checkers/configurations.js';
import { DurableAnswers } from './checkers/durable-answers.js';
import { ElectionSafety } from './checkers/election-safety.js';
import { LeaderCompleteness } from './checkers/leader-completeness.js';
import { Linearizability } from './checkers/linearizability.js';
import { LogMatching } from './checkers/log-matching.js';
import { Monotone } from './checkers/monotone.js';
import { Promises } from './checkers/promises.js';
import { describeConfiguration } from './checkers/quorum.js';
import { ReadIndex } from './checkers/read-index.js';
import { StateMachineSafety } from './checkers/state-machine-safety.js';
import { Clients } from './clients/clients.js';
import type { Operation } from './clients/operation.js';
import { Operator } from './clients/operator.js';
import { describeMessage, describeWrite, numbersOf } from './describe.js';
import { SimDisk } from './disk/sim-disk.js';
import { SimNetwork, type Sent } from './network/sim-network.js';
import { SimNode } from './node/sim-node.js';
import { Dice } from './scenario/dice.js';
import { Nemesis } from './scenario/nemesis.js';
import { drawScenario, type Scenario, type ServerPlan } from './scenario/scenario.js';
import { VirtualClock } from './time/virtual-clock.js';
import { Trace } from './trace.js';

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

/** How often a refused probe is tried again. */
const PROBE_EVERY_MS = 50;

/** More events than any honest simulation has: something runs in circles. */
const MAX_EVENTS = 1_000_000;

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
class Simulation implements Cluster {
  readonly #scenario: Scenario;
  readonly #phases: Phases;
  readonly #trace: Trace;
  readonly #world = new VirtualClock();
  readonly #dice: Dice;
  readonly #network: SimNetwork;
  readonly nodes: readonly SimNode[];
  readonly #byId = new Map<ServerId, SimNode>();
  readonly #configurations = new Configurations();
  readonly #log: CommittedLog;
  readonly #promises: Promises;
  readonly #checkers: readonly Checker[];
  readonly #clients: Clients;
  readonly #operator: Operator;
  readonly #nemesis: Nemesis;
  readonly #ran = new Set<SimNode>();
  #violation: Violation | null = null;
  #phase: 'faults' | 'recovery' | 'calm' | 'end' = 'faults';
  /** Operations of a greater id began when nothing was wrong. */
  #calmFrom = 0;
  #convergedAfterMs = 0;
  #probing = false;
  #nextProbeMs = 0;
  #probeIndex = 0;

  constructor(scenario: Scenario, record: boolean, phases: Phases) {
    this.#scenario = scenario;
    this.#phases = phases;
    this.#trace = new Trace(record);
    this.#dice = new Dice(scenario.seed ^ 0x5bd1e995);
    const dice = this.#dice;
    this.#network = new SimNetwork(
      this.#world,
      dice.fork(),
      { ...scenario.calm },
      {
        sent: (sent) => this.#sent(sent),
        answering: ({ id }, answer) => this.#answering(id, answer),
      },
    );
    this.nodes = scenario.servers.map((plan) => this.#makeNode(plan));
    for (const node of this.nodes) this.#byId.set(node.id, node);
    const matching = new LogMatching(this.#safety(LogMatching.rule));
    this.#log = new CommittedLog(this, this.#configurations, matching, this.#safety(CommittedLog.rule));
    this.#promises = new Promises((message) => this.#report('liveness', Promises.rule, message));
    this.#checkers = this.#makeCheckers(matching);
    this.#clients = new Clients({
      world: this.#world,
      dice: dice.fork(),
      nodes: this.nodes,
      load: scenario.load,
      promises: this.#promises,
      events: {
        invoked: (operation) => this.#invoked(operation),
        completed: (operation) => this.#completed(operation),
      },
    });
    this.#operator = new Operator({
      world: this.#world,
      dice: dice.fork(),
      nodes: this.nodes,
      everyMs: scenario.changeEveryMs,
      promises: this.#promises,
      hands: {
        join: (node) => this.#join(node),
        changed: (...what) => {
          for (const checker of this.#checkers) checker.changed?.(...what);
        },
        note: (what, detail) => this.#note('oper', what, [], () => detail),
      },
    });
    this.#nemesis = new Nemesis({
      world: this.#world,
      network: this.#network,
      nodes: this.nodes,
      scenario,
      dice: dice.fork(),
      hands: {
        crash: (node, outageMs) => this.#crash(node, outageMs),
        stop: (node, outageMs) => this.#shutDown(node, outageMs),
        transfer: (node, target) => this.#transfer(node, target),
        snapshot: (node) => this.#snapshot(node),
        flood: (node) => this.#clients.flood(node),
        note: (what, detail) => this.#note('nemesis', what, [], () => detail),
      },
    });
  }

  #safety(rule: string): Report {
    return (message) => this.#report('safety', rule, message);
  }

  #makeCheckers(matching: LogMatching): Checker[] {
    return [
      this.#configurations,
      this.#log,
      new ElectionSafety(this.#safety(ElectionSafety.rule)),
      matching,
      new ConfigurationSafety(this, this.#log, this.#configurations, this.#safety(ConfigurationSafety.rule)),
      new LeaderCompleteness(this.#log, this.#safety(LeaderCompleteness.rule)),
      new StateMachineSafety(this.#log, this.#safety(StateMachineSafety.rule)),
      new Monotone(this.#safety(Monotone.rule)),
      new Bounds(this.#scenario.config, this.#safety(Bounds.rule)),
      new DurableAnswers(this, this.#safety(DurableAnswers.rule)),
      new CommittedImmutable(this.#log, this.#safety(CommittedImmutable.rule)),
      new AcknowledgedWrites(this, this.#log, this.#safety(AcknowledgedWrites.rule)),
      new AcknowledgedChanges(this.#log, this.#safety(AcknowledgedChanges.rule)),
      new ReadIndex(this, this.#log, this.#safety(ReadIndex.rule)),
      new Linearizability(this.#safety(Linearizability.rule)),
    ];
  }

  node(id: ServerId): SimNode {
    const node = this.#byId.get(id);
    if (node === undefined) throw new Error(`there is no server ${id}`);
    return node;
  }

  async run(): Promise<SimulationResult> {
    const { safetyMs, convergeWithinMs, totalMs } = this.#phases;
    for (const node of this.nodes) node.start();
    for (const { id, bootstrapAtMs } of this.#scenario.servers) {
      if (bootstrapAtMs !== null) this.#bootstrap(this.node(id), bootstrapAtMs);
    }
    this.#clients.start(false);
    this.#nemesis.start();
    this.#operator.start();
    await this.#until(safetyMs);
    if (this.#violation === null) await this.#recover(safetyMs + convergeWithinMs + this.#slackMs);
    if (this.#violation === null) {
      this.#phase = 'calm';
      this.#calmFrom = this.#clients.history.length;
      this.#sweep();
      this.#clients.start(true);
      this.#grow();
      await this.#until(Math.max(totalMs, this.#world.now + LEAST_CALM_MS));
    }
    if (this.#violation === null) await this.#end();
    for (const node of this.nodes) node.kill();
    return this.#result();
  }

  get #slackMs(): number {
    return this.#scenario.changeEveryMs > 0 ? CHANGES_SLACK_MS : 0;
  }

  /** The faults are over: within the time given the cluster must be one again. */
  async #recover(deadlineMs: number): Promise<void> {
    this.#phase = 'recovery';
    const begin = this.#world.now;
    this.#note('sim', 'faults over', []);
    this.#clients.stop();
    this.#nemesis.stop();
    this.#operator.stop();
    for (const node of this.nodes) this.#restart(node);
    this.#sweep();
    await this.#until(deadlineMs, () => this.#hasConverged());
    this.#convergedAfterMs = this.#world.now - begin;
    this.#note('sim', 'converged', [this.#world.now]);
    if (this.#violation === null && !this.#hasConverged()) {
      this.#report(
        'liveness',
        'recovery',
        `no convergence ${deadlineMs - begin} ms after the faults: ${this.#describe()}`,
      );
    }
  }

  /** A leader that all follow has committed a new write, and all have applied it. */
  #hasConverged(): boolean {
    const members = this.#members();
    const leader = members.find(({ raft }) => raft?.state === 'leader');
    if (leader === undefined) return false;
    for (const { raft } of members) if (raft?.leader?.id !== leader.id) return false;
    const { outgoing, servers } = leader.raft!.getConfiguration().configuration;
    if (outgoing !== undefined || servers.some(({ suffrage }) => suffrage === 'staging')) return false;
    if (this.#probeIndex === 0) {
      this.#probe(leader);
      return false;
    }
    return members.every(
      ({ raft }) =>
        raft!.readable && raft!.appliedIndex >= this.#probeIndex && raft!.appliedIndex === leader.raft!.lastIndex,
    );
  }

  /** Servers of the last configuration that is committed; before there is one, of the first. */
  #members(): SimNode[] {
    const { servers, outgoing = [] } =
      this.#log.lastIndex === 0 ? this.#scenario.configuration : this.#log.configuration;
    return [...new Set([...servers, ...outgoing].map(({ id }) => id))].map((id) => this.node(id));
  }

  /**
   * Ends servers that do not belong to the cluster and do not know it. While it recovers, those are the ones whose removal
   * was asked for; once it is calm, also those whose joining came to nothing: the configuration that named them was
   * rolled back everywhere but with them, so they campaign by it for ever. With pre-votes and check-quorum they stay, since
   * they must not disturb anybody; without them they must be expected to (Raft thesis, section 4.2.3), and an operator
   * would switch them off.
   */
  #sweep(): void {
    const { preVote, checkQuorum } = this.#scenario.config;
    if (preVote === true && checkQuorum === true) return;
    const needed = new Set(this.#members().flatMap((node) => [node.id, ...this.#configurations.namesOn(node)]));
    for (const node of this.nodes) {
      if (node.part !== 'used' || needed.has(node.id)) continue;
      if (this.#phase !== 'calm' && !this.#operator.hasRetired(node.id)) continue;
      node.part = 'gone';
      this.#note(node.id, 'is switched off', []);
      this.#kill(node);
      // What it has sent must not arrive either.
      for (const other of this.nodes) this.#network.cuts.cut(node.id, other.id);
    }
  }

  /** Now that nothing is wrong, a server that joins must become a voter, if one is left that has not joined. */
  #grow(): void {
    const leader = this.#members().find(({ raft }) => raft?.state === 'leader');
    if (leader === undefined) return;
    this.#operator.grow(leader)?.catch((error: unknown) => {
      this.#report('liveness', 'calm operation', `a server does not become a voter: ${textOf(error)}`);
    });
  }

  /** Starts a spare server. The cluster will tell it the rest. */
  #join(node: SimNode): void {
    if (node.part !== 'spare') return;
    node.part = 'used';
    this.#note(node.id, 'joins', []);
    this.#nemesis.infect(node);
    node.start();
  }

  #probe(leader: SimNode): void {
    if (this.#probing || this.#world.now < this.#nextProbeMs) return;
    this.#probing = true;
    this.#nextProbeMs = this.#world.now + PROBE_EVERY_MS;
    void this.#clients.write('probe', leader, 'k1')?.then(({ outcome, index }) => {
      this.#probing = false;
      if (outcome === 'ok') this.#probeIndex = index;
    });
  }

  async #end(): Promise<void> {
    this.#clients.stop();
    await this.#until(this.#world.now + LAST_CALLS_MS, () => this.#hasConverged() && this.#promises.idle);
    if (this.#violation !== null) return;
    if (!this.#hasConverged())
      return this.#report('liveness', 'recovery', `no convergence in the end: ${this.#describe()}`);
    this.#promises.finished(null);
    this.#phase = 'end';
    for (const checker of this.#checkers) checker.finished?.(this.#clients.history);
    for (const node of this.nodes) this.#shutDown(node, Infinity);
    await this.#until(this.#world.now + LAST_CALLS_MS);
    this.#promises.finished(null);
  }

  #until(endMs: number, done: () => boolean = () => false): Promise<void> {
    return this.#world.run(
      endMs,
      () => this.#settled(),
      () => this.#violation !== null || done(),
    );
  }

  /** Everything that a turn has set off has happened: lets the checkers look at who ran. */
  #settled(): void {
    if (this.#ran.size === 0) return;
    for (const node of this.#ran) for (const checker of this.#checkers) checker.settled?.(node);
    this.#ran.clear();
  }

  // --- servers ----------------------------------------------------------------------------------------------------

  #makeNode(plan: ServerPlan): SimNode {
    const disk = new SimDisk(plan.disk, this.#dice.fork(), () => this.#world.now, {
      written: (write) => {
        const node = this.node(plan.id);
        const numbers = 'entries' in write ? write.entries.flatMap(({ index, term }) => [index, term]) : [];
        this.#note(plan.id, `stored ${write.kind}`, numbers, () => describeWrite(write));
        for (const checker of this.#checkers) checker.written?.(node, write);
      },
      misused: (what) => this.#report('safety', 'store contract', `${plan.id}: ${what}`),
      failed: (store) => {
        const { process } = this.node(plan.id);
        if (process !== null) process.excused = true;
        this.#note(plan.id, 'disk fails', [], () => store);
      },
      crashDue: () =>
        this.#world.schedule(this.#dice.between(0, plan.disk.writeMs), () => {
          if (this.#phase === 'faults') this.#crash(this.node(plan.id), this.#dice.exponential(500));
        }),
    });
    return new SimNode({
      id: plan.id,
      part: plan.bootstrapAtMs === null ? 'spare' : 'used',
      disk,
      world: this.#world,
      network: this.#network,
      scenario: this.#scenario,
      skew: plan.skew,
      dice: this.#dice.fork(),
      events: {
        ran: (node) => this.#ran.add(node),
        started: (node) => this.#started(node),
        startFailed: (node, error) => this.#startFailed(node, error),
        roleChanged: (node, from) => this.#roleChanged(node, from),
        committed: (node, index) => {
          this.#note(node.id, 'committed', [index]);
          for (const checker of this.#checkers) checker.committed?.(node, index);
        },
        configurationTaken: (node, configuration) => {
          this.#note(
            node.id,
            'configuration',
            [configuration.index],
            () => `${configuration.index} ${describeConfiguration(configuration.configuration)}`,
          );
          for (const checker of this.#checkers) checker.configurationTaken?.(node, configuration);
        },
        snapshotInstalled: (node, index) => {
          this.#note(node.id, 'installed snapshot', [index]);
          for (const checker of this.#checkers) checker.snapshotInstalled?.(node, index);
        },
        commandApplied: (node, entry, command) => {
          this.#note(
            node.id,
            'applies',
            [entry.index, entry.term],
            () => `${entry.index} ${command.key}=${command.value}`,
          );
          for (const checker of this.#checkers) checker.commandApplied?.(node, entry, command);
        },
        stopped: (node, error) => this.#stopped(node, error),
      },
    });
  }

  #bootstrap(node: SimNode, inMs: number): void {
    this.#world.schedule(inMs, () => {
      if (node.bootstrapped) return;
      void node.bootstrap(this.#scenario.configuration).then(
        () => {
          this.#note(node.id, 'bootstrapped', [], () => String(node.bootstrapped));
          if (!node.bootstrapped) this.#bootstrap(node, 20);
        },
        () => this.#bootstrap(node, 20),
      );
    });
  }

  #started(node: SimNode): void {
    const { platter } = node.disk;
    this.#note(node.id, 'started', [platter.firstIndex, platter.lastIndex, platter.hardState?.term ?? 0]);
    this.#ran.add(node);
    for (const checker of this.#checkers) checker.started?.(node);
  }

  #startFailed(node: SimNode, error: unknown): void {
    this.#note(node.id, 'start failed', [], () => textOf(error));
    if (error !== null) this.#report('safety', 'recovery from a crash', `${node.id} cannot start: ${textOf(error)}`);
    this.#restartLater(node, 100);
  }

  #roleChanged(node: SimNode, from: string): void {
    const { role, roleTerm } = node.process!;
    this.#note(node.id, `${from} > ${role}`, [roleTerm]);
    for (const checker of this.#checkers) checker.roleChanged?.(node, node.process!.role);
    if (this.#phase === 'calm' && this.#members().includes(node)) {
      this.#report(
        'liveness',
        'stable leadership',
        `${node.id} becomes ${role} in term ${roleTerm}, and nothing is wrong`,
      );
    }
  }

  /** A node has stopped, because of an error or because it was told to. */
  #stopped(node: SimNode, error: Error | null): void {
    if (error === null) {
      if (!node.process!.leaving) this.#left(node);
      return;
    }
    const { excused } = node.process!;
    this.#note(node.id, 'stopped', [], () => `${error.message}: ${textOf(error.cause)}`);
    if (!excused)
      this.#report('safety', 'no stop without a cause', `${node.id} stops: ${error.message} ${textOf(error.cause)}`);
    this.#shutDown(node, 200);
  }

  /** A node has ended by itself since it was removed. */
  #left(node: SimNode): void {
    this.#note(node.id, 'is gone', []);
    node.part = 'gone';
    // The commit that it acts on is told by the leader, in this turn at the latest.
    this.#world.schedule(0, () => {
      if (this.#members().includes(node)) {
        this.#report(
          'safety',
          'no stop without a cause',
          `${node.id} stops as if it had been removed, and is a member`,
        );
      }
    });
    this.#shutDown(node, 0);
  }

  #crash(node: SimNode, outageMs: number): void {
    if (node.process === null) return;
    this.#note(node.id, 'crashes', [], () => `for ${outageMs.toFixed(0)} ms`);
    this.#kill(node);
    this.#restartLater(node, outageMs);
  }

  #kill(node: SimNode): void {
    const { process } = node;
    node.kill();
    if (process !== null) this.#clients.processDied(process);
  }

  /** Shuts a node down as an operator does: waits for its shutdown, then ends the process. */
  #shutDown(node: SimNode, outageMs: number): void {
    const { running } = node;
    if (running === null) return;
    const { process, raft } = running;
    process.leaving = true;
    this.#note(node.id, 'shuts down', []);
    process.clock.run(() => {
      const down = raft.shutdown();
      this.#promises.watch(process, `shutdown of ${node.id}`, this.#world.now, down);
      void down.then(() => {
        this.#note(node.id, 'is down', []);
        if (outageMs === Infinity || node.process !== process) return;
        // What it owes to its callers is paid by now.
        this.#world.schedule(1, () => {
          if (node.process !== process) return;
          if (!process.clock.paused) this.#promises.finished(process);
          this.#kill(node);
          this.#restartLater(node, outageMs);
        });
      });
    });
  }

  #restartLater(node: SimNode, ms: number): void {
    this.#world.schedule(this.#phase === 'faults' ? ms : 0, () => this.#restart(node));
  }

  #restart(node: SimNode): void {
    if (node.process !== null || node.part !== 'used' || this.#phase === 'end') return;
    node.start();
    if (!node.bootstrapped) this.#bootstrap(node, 20);
  }

  #transfer(node: SimNode, target: string | null): void {
    const { running } = node;
    if (running === null) return;
    const { process, raft } = running;
    this.#note(node.id, 'transfers', [], () => `to ${target ?? 'anyone'}`);
    process.clock.run(() => {
      this.#promises.watch(process, `transfer by ${node.id}`, this.#world.now, raft.leadershipTransfer(target));
    });
  }

  #snapshot(node: SimNode): void {
    const { running } = node;
    if (running === null) return;
    const { process, raft } = running;
    this.#note(node.id, 'is to snapshot', []);
    process.clock.run(() => {
      this.#promises.watch(process, `snapshot by ${node.id}`, this.#world.now, raft.snapshot());
    });
  }

  // --- what happens -----------------------------------------------------------------------------------------------

  #sent(sent: Sent): void {
    const { from, to, message } = sent;
    this.#note(
      from,
      message.kind,
      [Number(to.slice(1)), ...numbersOf(message)],
      () => `to ${to}: ${describeMessage(message)}`,
    );
    for (const checker of this.#checkers) checker.sent?.(sent);
  }

  #answering(id: ServerId, answer: Promise<RpcResponse>): void {
    const { process } = this.node(id);
    if (process !== null) this.#promises.watch(process, `an answer of ${id} to a peer`, this.#world.now, answer);
  }

  #invoked(operation: Operation): void {
    const { id, client, kind, key, value, server } = operation;
    this.#note(client, kind, [id], () => `${id}: ${key}${value === null ? '' : `=${value}`} at ${server}`);
    for (const checker of this.#checkers) checker.invoked?.(operation);
  }

  #completed(operation: Operation): void {
    const { id, client, outcome, index, readIndex, value, error } = operation;
    this.#note(client, outcome, [id, index, readIndex], () => `${id}: ${value} ${index} ${readIndex} ${error}`);
    for (const checker of this.#checkers) checker.completed?.(operation);
    if (this.#phase === 'calm' && id > this.#calmFrom && outcome !== 'ok' && error !== 'RAFT_OVERLOADED') {
      this.#report('liveness', 'calm operation', `operation ${id} is ${outcome} (${error}), and nothing is wrong`);
    }
  }

  #note(who: string, what: string, numbers: readonly number[], detail?: () => string): void {
    this.#trace.note(this.#world.now, who, what, numbers, detail);
    if (this.#trace.events > MAX_EVENTS) this.#report('liveness', 'runs in circles', `${who}: ${what}`);
  }

  #report(kind: Violation['kind'], rule: string, message: string): void {
    if (this.#violation !== null) return;
    this.#violation = { kind, rule, message, atMs: this.#world.now };
    this.#note('CHECK', rule, [], () => message);
  }

  #describe(): string {
    return this.nodes
      .map(({ id, raft, process }) => {
        if (raft === null) return `${id} ${process === null ? 'down' : 'starting'}`;
        const { state, term, leader, lastIndex, commitIndex, appliedIndex, readable } = raft;
        const indexes = `last ${lastIndex} commit ${commitIndex} applied ${appliedIndex}`;
        return `${id} ${state} term ${term} of ${leader?.id ?? '?'} ${indexes}${readable ? '' : ' unreadable'}`;
      })
      .join('; ');
  }

  #result(): SimulationResult {
    const operations = { ok: 0, failed: 0, unknown: 0, open: 0 };
    for (const { outcome } of this.#clients.history) operations[outcome]++;
    return {
      seed: this.#scenario.seed,
      traceHash: this.#trace.hash,
      traceEvents: this.#trace.events,
      trace: this.#trace.lines,
      violation: this.#violation,
      servers: this.nodes.length,
      convergedAfterMs: this.#convergedAfterMs,
      committed: this.#log.lastIndex,
      operations,
    };
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : '';
}
