import type { LogIndex, Term } from '@discovery-raft/raft-core';
import { setsRegister, type Operation } from '../clients/operation.js';
import type { Recovery } from '../node/disaster.js';
import type { SimNode } from '../node/sim-node.js';
import type { Checker, Cluster, Report } from './checker.js';
import type { CommittedLog } from './committed-log.js';

/**
 * A confirmed read sees everything that was committed before it began, and who is confirmed as the leader had not been
 * replaced then (Raft paper, section 8; RAFT.md, section 4, rule 6).
 */
export class ReadIndex implements Checker {
  static readonly rule = 'read index';
  #newestTerm: Term = 0;
  readonly #before = new Map<number, { readonly committed: LogIndex; readonly newestTerm: Term }>();
  readonly #cluster: Cluster;
  readonly #log: CommittedLog;
  readonly #report: Report;

  constructor(cluster: Cluster, log: CommittedLog, report: Report) {
    this.#cluster = cluster;
    this.#log = log;
    this.#report = report;
  }

  roleChanged(node: SimNode): void {
    const { role, roleTerm } = node.process!;
    if (role === 'leader') this.#newestTerm = Math.max(this.#newestTerm, roleTerm);
  }

  recovered(recovery: Recovery | null): void {
    // Who is left may not know of the newest terms.
    if (recovery !== null) this.#newestTerm = 0;
  }

  invoked(operation: Operation): void {
    if (setsRegister(operation)) return;
    this.#before.set(operation.id, { committed: this.#log.lastIndex, newestTerm: this.#newestTerm });
  }

  completed({ id, kind, outcome, server, readIndex, term }: Operation): void {
    const before = this.#before.get(id);
    this.#before.delete(id);
    if (before === undefined || outcome !== 'ok') return;
    if (kind === 'verifyLeader') {
      if (term < before.newestTerm) {
        this.#report(
          `${server} is confirmed as the leader of term ${term}; term ${before.newestTerm} had a leader then`,
        );
      }
      return;
    }
    if (readIndex < before.committed) {
      this.#report(`${server} confirms a read at ${readIndex}; ${before.committed} was committed when it began`);
    }
    const { raft } = this.#cluster.node(server);
    if (raft === null) return;
    if (raft.appliedIndex < readIndex) {
      this.#report(`${server} confirms a read at ${readIndex}, and has applied ${raft.appliedIndex}`);
    }
    if (kind === 'read' && !raft.readable) this.#report(`${server} confirms a read while its view is not readable`);
  }
}
