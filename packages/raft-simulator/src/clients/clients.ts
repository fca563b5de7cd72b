import { RaftError, type Raft } from '@discovery-raft/raft-core';
import type { Promises } from '../checkers/promises.js';
import { encodeCommand, type Previous } from '../node/register-machine.js';
import type { Incarnation, SimNode } from '../node/sim-node.js';
import type { Dice } from '../scenario/dice.js';
import type { LoadPlan } from '../scenario/scenario.js';
import type { VirtualClock } from '../time/virtual-clock.js';
import type { Operation, Outcome } from './operation.js';

/** How long a client waits for an answer before it goes on, on average; the operation stays open. */
const PATIENCE_MS = 300;

/** What the clients tell the simulation. */
export interface ClientEvents {
  invoked(operation: Operation): void;
  completed(operation: Operation): void;
}

/** Clients that write and read registers, and the history of what they were told. */
export class Clients {
  readonly history: Operation[] = [];
  readonly #world: VirtualClock;
  readonly #dice: Dice;
  readonly #nodes: readonly SimNode[];
  readonly #load: LoadPlan;
  readonly #promises: Promises;
  readonly #events: ClientEvents;
  /** Operations that have no outcome, with the process that was asked. */
  readonly #open = new Map<Operation, Incarnation>();
  #moment = 0;
  #run = 0;
  #patient = false;

  constructor(parts: {
    world: VirtualClock;
    dice: Dice;
    nodes: readonly SimNode[];
    load: LoadPlan;
    promises: Promises;
    events: ClientEvents;
  }) {
    this.#world = parts.world;
    this.#dice = parts.dice;
    this.#nodes = parts.nodes;
    this.#load = parts.load;
    this.#promises = parts.promises;
    this.#events = parts.events;
  }

  /** Starts the clients. @param patient they ask only leaders, and wait for every answer */
  start(patient: boolean): void {
    this.#patient = patient;
    const run = ++this.#run;
    for (let i = 0; i < this.#load.clients; i++) this.#pause(`c${i + 1}`, run);
  }

  /** The clients begin nothing more. */
  stop(): void {
    this.#run++;
  }

  /** A process was killed: its clients will never know. */
  processDied(process: Incarnation): void {
    for (const [operation, asked] of this.#open) {
      if (asked === process) this.#complete(operation, operation.kind === 'write' ? 'unknown' : 'failed', 'killed');
    }
  }

  /** Writes once, at this node, as client `client`. */
  write(client: string, node: SimNode, key: string): Promise<Operation> | null {
    const { running } = node;
    return running === null ? null : this.#call(client, node, running.process, running.raft, 'write', key);
  }

  /** Writes many times at once, at this node, and does not wait. */
  flood(node: SimNode): void {
    const count = this.#dice.int(10, 40);
    for (let i = 0; i < count; i++) void this.write('flood', node, `k${this.#dice.int(1, this.#load.keys)}`);
  }

  #pause(client: string, run: number): void {
    this.#world.schedule(this.#dice.exponential(this.#load.thinkMs), () => this.#act(client, run));
  }

  #act(client: string, run: number): void {
    if (run !== this.#run) return;
    const node = this.#choose();
    const running = node?.running ?? null;
    if (node === undefined || running === null) return this.#pause(client, run);
    const { process, raft } = running;
    const key = (): string => `k${this.#dice.int(1, this.#load.keys)}`;
    const calls: Promise<Operation>[] = [];
    if (this.#dice.chance(this.#load.bursts)) {
      const count = this.#dice.int(5, 30);
      for (let i = 0; i < count; i++) calls.push(this.#call(client, node, process, raft, 'write', key()));
    } else {
      const kind = this.#dice.chance(this.#load.readShare)
        ? this.#dice.pick(['read', 'read', 'read', 'barrier', 'verifyLeader'] as const)
        : 'write';
      calls.push(this.#call(client, node, process, raft, kind, key()));
    }
    let waiting = true;
    const goOn = (): void => {
      if (waiting) this.#pause(client, run);
      waiting = false;
    };
    void Promise.all(calls).then(goOn);
    // It does not wait for ever: a leader that was replaced is then asked again and again.
    if (!this.#patient) this.#world.schedule(this.#dice.exponential(PATIENCE_MS), goOn);
  }

  /** Mostly a leader, sometimes anyone; two leaders of different terms are both asked. */
  #choose(): SimNode | undefined {
    const up = this.#nodes.filter(({ raft }) => raft !== null);
    const leaders = up.filter(({ raft }) => raft!.state === 'leader');
    const from = leaders.length > 0 && (this.#patient || this.#dice.chance(0.9)) ? leaders : up;
    return from.length === 0 ? undefined : this.#dice.pick(from);
  }

  #call(
    client: string,
    node: SimNode,
    process: Incarnation,
    raft: Raft<Previous>,
    kind: Operation['kind'],
    key: string,
  ): Promise<Operation> {
    const id = this.history.length + 1;
    const operation: Operation = {
      id,
      client,
      server: node.id,
      kind,
      key,
      value: kind === 'write' ? `v${id}` : null,
      invokedAt: ++this.#moment,
      completedAt: Infinity,
      outcome: 'open',
      index: 0,
      term: 0,
      previous: null,
      readIndex: 0,
      error: '',
    };
    this.history.push(operation);
    this.#open.set(operation, process);
    this.#events.invoked(operation);
    return new Promise((resolve) => {
      const ask = (): void => {
        const answer = this.#ask(operation, process, raft);
        this.#promises.watch(process, `${kind} ${operation.value ?? ''} at ${node.id}`, this.#world.now, answer);
        answer
          .then(
            () => this.#complete(operation, 'ok', ''),
            (error: unknown) => this.#refused(operation, error),
          )
          .finally(() => resolve(operation));
      };
      process.clock.run(ask);
      if (process.clock.dead) resolve(operation);
    });
  }

  async #ask(operation: Operation, process: Incarnation, raft: Raft<Previous>): Promise<void> {
    const op = operation;
    switch (op.kind) {
      case 'write': {
        const data = encodeCommand({ key: op.key, value: op.value! }, this.#dice.int(0, this.#load.maxPaddingBytes));
        const { index, term, response } = await raft.apply(data, this.#limits(process));
        op.index = index;
        op.term = term;
        op.previous = response.value;
        return;
      }
      case 'read':
        op.readIndex = await raft.readIndex();
        op.index = raft.appliedIndex;
        op.value = process.machine.registers.get(op.key)?.value ?? null;
        return;
      case 'barrier':
        op.readIndex = await raft.barrier(this.#limits(process));
        return;
      case 'verifyLeader':
        await raft.verifyLeader();
        op.term = raft.term;
    }
  }

  #limits(process: Incarnation): { timeoutMs?: number; signal?: AbortSignal } {
    if (this.#patient) return {};
    const limits: { timeoutMs?: number; signal?: AbortSignal } = {};
    if (this.#dice.chance(0.4)) limits.timeoutMs = this.#dice.pick([20, 200, 2000]);
    if (this.#dice.chance(0.05)) {
      const abort = new AbortController();
      process.clock.setTimer(this.#dice.between(0, 100), () => abort.abort());
      limits.signal = abort.signal;
    }
    return limits;
  }

  #refused(operation: Operation, error: unknown): void {
    if (!(error instanceof RaftError)) {
      this.#promises.refused(operation, error, undefined);
      return this.#complete(operation, 'unknown', 'not a RaftError');
    }
    const { outcome } = error.details;
    this.#promises.refused(operation, error, outcome);
    const unknown = operation.kind === 'write' && outcome !== 'notAppended' && outcome !== 'lost';
    this.#complete(operation, unknown ? 'unknown' : 'failed', error.code);
  }

  #complete(operation: Operation, outcome: Outcome, error: string): void {
    if (!this.#open.delete(operation)) return;
    operation.completedAt = ++this.#moment;
    operation.outcome = outcome;
    operation.error = error;
    this.#events.completed(operation);
  }
}
