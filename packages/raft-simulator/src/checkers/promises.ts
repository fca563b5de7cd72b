import type { RpcResponse } from '@discovery-raft/raft-core';
import type { Operation } from '../clients/operation.js';
import type { Incarnation } from '../node/sim-node.js';
import type { Report } from './checker.js';

interface Watched {
  readonly process: Incarnation;
  readonly what: string;
  readonly sinceMs: number;
}

/** Every promise that a node gave settles while its process lives: of calls, of answers to peers, of its shutdown. */
export class Promises {
  static readonly rule = 'promises always settle';
  readonly #open = new Set<Watched>();
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  /** @param process whose death excuses the promise */
  watch(process: Incarnation, what: string, sinceMs: number, promise: Promise<unknown> | Promise<RpcResponse>): void {
    const item: Watched = { process, what, sinceMs };
    this.#open.add(item);
    const settled = (): void => {
      this.#open.delete(item);
    };
    promise.then(settled, settled);
  }

  /** Whether nothing is owed by a process that lives. */
  get idle(): boolean {
    for (const { process } of this.#open) if (!process.clock.dead) return false;
    return true;
  }

  /** A write or a restore that was refused must say what became of it. */
  refused({ kind, server, value }: Operation, error: unknown, outcome: unknown): void {
    if ((kind === 'write' || kind === 'restore') && typeof outcome !== 'string') {
      this.#report(`${server} refuses to ${kind} ${value} and does not say what became of it: ${String(error)}`);
    }
  }

  /** A node has been shut down, or all have had time without faults: now nothing may be open. */
  finished(of: Incarnation | null): void {
    for (const { process, what, sinceMs } of this.#open) {
      if (process.clock.dead || (of !== null && process !== of)) continue;
      this.#report(`${what}, of ${sinceMs.toFixed(1)} ms, has not settled`);
    }
  }
}
