import { RaftError, type Applied, type LogIndex, type Raft } from '@discovery-raft/raft-core';
import type { Promises } from '../checkers/promises.js';
import { encodeCommand, restoredText, type Previous } from '../node/register-machine.js';
import type { Incarnation, SimNode } from '../node/sim-node.js';
import type { Dice } from '../scenario/dice.js';
import type { LoadPlan } from '../scenario/scenario.js';
import type { VirtualClock } from '../time/virtual-clock.js';
import { setsRegister, type Operation, type Outcome } from './operation.js';

/** How long a client waits for an answer before it goes on, on average; the operation stays open. */
const PATIENCE_MS = 300;

/** What a batch answers with. */
const NO_RESULTS: readonly Applied<Previous>[] = [];

/** Who knows what became of restores. */
export interface RestoreJudge {
  begun(text: string): void;
  /** Whether some disk holds it, so that it may yet become the state of all. */
  isOnDisk(text: string): boolean;
  /** Whether nobody can be sure what became of a former one. */
  readonly inDoubt: boolean;
  doubt(moment: number): void;
  certain(moment: number): void;
}

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
  /** What to do when a restore has settled, or the process that was asked is dead; by its first part. */
  readonly #afterDeath = new Map<Operation, () => void>();
  #restoring = false;
  #moment = 0;
  #batches = 0;
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
      if (asked !== process) continue;
      this.#complete(operation, setsRegister(operation) ? 'unknown' : 'failed', 'killed');
      const over = this.#afterDeath.get(operation);
      this.#afterDeath.delete(operation);
      // What was on its way to the disk is there or not by now.
      over?.();
    }
  }

  /**
   * A disaster has undone what was acknowledged and is not in the log that is left, and what was refused may be in it: of
   * neither can anybody be sure.
   *
   * @param values what the log holds, with the index
   */
  undone(values: ReadonlyMap<string, LogIndex>): void {
    for (const operation of this.history) {
      const { kind, value, outcome, index } = operation;
      if (kind !== 'write' || value === null) continue;
      const at = values.get(value);
      if ((outcome === 'ok' && at !== index) || (outcome === 'failed' && at !== undefined)) {
        operation.outcome = 'unknown';
      }
    }
  }

  /** Writes once, at this node, as client `client`. */
  write(client: string, node: SimNode, key: string): Promise<Operation> | null {
    const { running } = node;
    return running === null ? null : this.#call(client, node, running.process, running.raft, 'write', key);
  }

  /** Whether a restore is under way, or nobody can be sure what became of the last one. */
  get restoring(): boolean {
    return this.#restoring;
  }

  /** Whether somebody waits for the answer to a restore: nobody else may write then. */
  get awaitingRestore(): boolean {
    for (const { kind } of this.#open.keys()) if (kind === 'restore') return true;
    return false;
  }

  /** Restores another state at this node: every register gets a new value. */
  restore(node: SimNode, judge: RestoreJudge): void {
    const { running } = node;
    if (running === null) return;
    const { process, raft } = running;
    const keys = Array.from({ length: this.#load.keys }, (_, i) => `k${i + 1}`);
    const began = this.#moment;
    const parts = keys.map((key) =>
      this.#begin({ client: 'restore', server: node.id, kind: 'restore', key, batch: 0 }, process),
    );
    const text = restoredText(new Map(parts.map(({ key, value }) => [key, value!])));
    const bytes = Buffer.from(text, 'latin1');
    const meta = { version: 1, index: this.#dice.chance(0.3) ? raft.lastIndex + 5 : 1, size: bytes.length };
    judge.begun(text);
    this.#restoring = true;
    const over = (): void => {
      if (parts.every(({ outcome }) => outcome === 'ok')) {
        judge.certain(this.#moment);
        this.#restoring = false;
      } else if (judge.isOnDisk(text)) judge.doubt(began);
      else this.#restoring = judge.inDoubt;
    };
    this.#afterDeath.set(parts[0]!, over);
    process.clock.run(() => {
      const answer = raft.restore(meta, piecesOf(bytes));
      this.#promises.watch(process, `restore at ${node.id}`, this.#world.now, answer);
      answer
        .then(
          (index) => {
            for (const part of parts) {
              part.index = index;
              this.#complete(part, 'ok', '');
            }
          },
          (error: unknown) => {
            for (const part of parts) this.#refused(part, error);
          },
        )
        .finally(() => {
          if (this.#afterDeath.delete(parts[0]!)) over();
        });
    });
  }

  /** Writes many times at once, at this node, and does not wait. */
  flood(node: SimNode): void {
    const count = this.#dice.int(10, 40);
    for (let i = 0; i < count; i++) void this.write('flood', node, `k${this.#dice.int(1, this.#load.keys)}`);
  }

  /** Writes and reads once at this node, as long as it says that it leads. */
  touch(node: SimNode): void {
    const { running } = node;
    if (running === null || running.raft.state !== 'leader') return;
    const key = `k${this.#dice.int(1, this.#load.keys)}`;
    for (const kind of ['write', 'read'] as const) {
      void this.#call('touch', node, running.process, running.raft, kind, key);
    }
  }

  #pause(client: string, run: number): void {
    this.#world.schedule(this.#dice.exponential(this.#load.thinkMs), () => this.#act(client, run));
  }

  #act(client: string, run: number): void {
    if (run !== this.#run) return;
    const kind = this.#drawKind();
    const node = this.#choose(kind === 'read' && this.#dice.chance(this.#load.anywhere));
    const running = node?.running ?? null;
    if (node === undefined || running === null) return this.#pause(client, run);
    const { process, raft } = running;
    const key = (): string => `k${this.#dice.int(1, this.#load.keys)}`;
    const calls: Promise<unknown>[] = [];
    if (kind === 'burst') {
      const count = this.#dice.int(5, 30);
      for (let i = 0; i < count; i++) calls.push(this.#call(client, node, process, raft, 'write', key()));
    } else if (kind === 'batch') {
      calls.push(this.#callBatch(client, node, process, raft, Array.from({ length: this.#dice.int(2, 8) }, key)));
    } else {
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

  #drawKind(): Operation['kind'] | 'burst' | 'batch' {
    if (this.#dice.chance(this.#load.bursts)) return 'burst';
    if (this.#dice.chance(this.#load.batches)) return 'batch';
    if (!this.#dice.chance(this.#load.readShare)) return 'write';
    return this.#dice.pick(['read', 'read', 'read', 'barrier', 'verifyLeader'] as const);
  }

  /** Mostly a leader, sometimes or if `anywhere` is set anyone; two leaders of different terms are both asked. */
  #choose(anywhere: boolean): SimNode | undefined {
    const up = this.#nodes.filter(({ raft }) => raft !== null);
    const leaders = up.filter(({ raft }) => raft!.state === 'leader');
    if (leaders.length === 0) return up.length === 0 ? undefined : this.#dice.pick(up);
    if (!anywhere) return this.#dice.pick(this.#patient || this.#dice.chance(0.9) ? leaders : up);
    // Who does not belong to the cluster has nobody to ask.
    const { servers } = leaders[0]!.raft!.getConfiguration().configuration;
    return this.#dice.pick(
      this.#patient
        ? up.filter((node) => servers.some(({ id, suffrage }) => id === node.id && suffrage !== 'staging'))
        : up,
    );
  }

  #call(
    client: string,
    node: SimNode,
    process: Incarnation,
    raft: Raft<Previous>,
    kind: Operation['kind'],
    key: string,
  ): Promise<Operation> {
    const operation = this.#begin({ client, server: node.id, kind, key, batch: 0 }, process);
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

  /** Writes to these keys, in one batch. */
  #callBatch(
    client: string,
    node: SimNode,
    process: Incarnation,
    raft: Raft<Previous>,
    keys: readonly string[],
  ): Promise<void> {
    const batch = ++this.#batches;
    const parts = keys.map((key) => this.#begin({ client, server: node.id, kind: 'write', key, batch }, process));
    const datas = parts.map(({ key, value }) =>
      encodeCommand({ key, value: value! }, this.#dice.int(0, this.#load.maxPaddingBytes)),
    );
    return new Promise((resolve) => {
      process.clock.run(() => {
        const answer = raft.applyBatch(datas, this.#limits(process));
        this.#promises.watch(process, `batch ${batch} at ${node.id}`, this.#world.now, answer);
        answer
          .then(
            (results) => this.#acknowledged(parts, results),
            (error: unknown) => {
              const done = error instanceof RaftError ? (error.details['results'] as typeof NO_RESULTS) : NO_RESULTS;
              this.#acknowledged(parts, done ?? NO_RESULTS);
              for (const part of parts) if (part.outcome === 'open') this.#refused(part, error);
            },
          )
          .finally(resolve);
      });
      if (process.clock.dead) resolve();
    });
  }

  /** The first parts of a batch were applied, with these results. */
  #acknowledged(parts: readonly Operation[], results: typeof NO_RESULTS): void {
    results.forEach(({ index, term, response }, i) => {
      const part = parts[i]!;
      part.index = index;
      part.term = term;
      part.previous = response.value;
      this.#complete(part, 'ok', '');
    });
  }

  #begin(what: Pick<Operation, 'client' | 'server' | 'kind' | 'key' | 'batch'>, process: Incarnation): Operation {
    const id = this.history.length + 1;
    const operation: Operation = {
      id,
      ...what,
      value: setsRegister(what) ? `v${id}` : null,
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
    return operation;
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
        op.readIndex = await raft.readIndex(this.#dice.chance(0.2) ? { mode: 'quorum' } : {});
        op.index = raft.appliedIndex;
        op.value = process.machine.registers.get(op.key)?.value ?? null;
        return;
      case 'barrier':
        op.readIndex = await raft.barrier(this.#limits(process));
        return;
      case 'verifyLeader':
        await raft.verifyLeader();
        op.term = raft.term;
        return;
      case 'restore':
        throw new Error('a restore is asked for by itself');
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
    const unknown = setsRegister(operation) && outcome !== 'notAppended' && outcome !== 'lost';
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

/** In pieces, as from a file. */
async function* piecesOf(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 50) yield bytes.subarray(at, at + 50);
}
