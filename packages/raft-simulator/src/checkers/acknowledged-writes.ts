import type { Operation, Outcome } from '../clients/operation.js';
import { decodeCommand } from '../node/register-machine.js';
import type { Checker, Cluster, Report } from './checker.js';
import type { CommittedLog } from './committed-log.js';

/**
 * A write that was acknowledged is committed, at the index, with the term and the response that its client was told, and
 * is still there in the end; a write that failed is nowhere.
 */
export class AcknowledgedWrites implements Checker {
  static readonly rule = 'acknowledged writes survive';
  readonly #cluster: Cluster;
  readonly #log: CommittedLog;
  readonly #report: Report;

  constructor(cluster: Cluster, log: CommittedLog, report: Report) {
    this.#cluster = cluster;
    this.#log = log;
    this.#report = report;
  }

  completed({ outcome, kind, index, term, value, previous, server }: Operation): void {
    if (outcome !== 'ok' || kind !== 'write') return;
    const entry = this.#log.entryAt(index);
    const what = `${server} acknowledges ${value} at (${index}, term ${term})`;
    if (entry === undefined) return this.#report(`${what}, which is not committed`);
    if (entry.term !== term) return this.#report(`${what}, where an entry of term ${entry.term} is committed`);
    const committed = decodeCommand(entry.data).value;
    if (committed !== value) return this.#report(`${what}, where ${committed} is committed`);
    const expected = this.#log.previousAt(index);
    if (previous !== expected) this.#report(`${what} with the response ${previous}, and ${expected} was there before`);
  }

  #checkRestore(value: string, outcome: Outcome, server: string): void {
    const committed = this.#log.hasRestored(value);
    if (outcome === 'ok' && !committed) this.#report(`${server} says that ${value} is restored, and it is not`);
    if (outcome === 'failed' && committed) this.#report(`${server} says that ${value} is not restored, and it is`);
  }

  finished(operations: readonly Operation[]): void {
    const committed = new Map<string, number>();
    for (let index = 1; index <= this.#log.lastIndex; index++) {
      const entry = this.#log.entryAt(index)!;
      if (entry.type !== 0) continue;
      const { value } = decodeCommand(entry.data);
      if (committed.has(value)) this.#report(`${value} is committed twice: ${committed.get(value)} and ${index}`);
      committed.set(value, index);
    }
    for (const { kind, outcome, value, server, index, error } of operations) {
      if (kind === 'restore') this.#checkRestore(value!, outcome, server);
      if (kind !== 'write' || value === null) continue;
      if (outcome === 'failed' && committed.has(value)) {
        this.#report(
          `${server} said that ${value} has failed (${error}), and it is committed at ${committed.get(value)}`,
        );
      }
      if (outcome === 'ok' && committed.get(value) !== index) {
        this.#report(`${server} acknowledged ${value} at ${index}, and it is lost`);
      }
    }
    for (const node of this.#cluster.nodes) {
      const { raft, machine } = node;
      // Who was removed may hold tombstones whose successors he will never get, or a restored state that nobody else has.
      if (raft === null || machine === null || !raft.readable || this.#log.isAstray(node)) continue;
      if (machine.registers.digest !== this.#log.digestAt(raft.appliedIndex)) {
        this.#report(`${node.id} ends in another state than the log says`);
      }
    }
  }
}
