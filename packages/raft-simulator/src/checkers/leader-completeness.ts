import type { LogIndex, Term } from '@discovery-raft/raft-core';
import type { DiskWrite } from '../disk/platter.js';
import type { SimNode } from '../node/sim-node.js';
import type { Checker, Report } from './checker.js';
import type { CommittedLog } from './committed-log.js';

/**
 * A leader holds every entry that was committed in an earlier term (Raft paper, section 5.4). Votes may arrive so late
 * that a leader of a later term has committed more; that one's entries do not count.
 */
export class LeaderCompleteness implements Checker {
  static readonly rule = 'leader completeness';
  /** New leaders whose first entry is not on their disk yet: what lies before it is then their log. */
  readonly #waiting = new Map<SimNode, { readonly term: Term; readonly through: LogIndex }>();
  readonly #log: CommittedLog;
  readonly #report: Report;

  constructor(log: CommittedLog, report: Report) {
    this.#log = log;
    this.#report = report;
  }

  roleChanged(node: SimNode): void {
    const { role, roleTerm } = node.process!;
    this.#waiting.delete(node);
    if (role !== 'leader') return;
    this.#waiting.set(node, { term: roleTerm, through: this.#log.lastIndex });
    this.#look(node);
  }

  written(node: SimNode, write: DiskWrite): void {
    if (write.kind === 'append' && this.#waiting.has(node)) this.#look(node);
  }

  disaster(): void {
    this.#waiting.clear();
  }

  #look(node: SimNode): void {
    const { term, through } = this.#waiting.get(node)!;
    const { platter } = node.disk;
    if (platter.termAt(platter.lastIndex) !== term) return;
    this.#waiting.delete(node);
    for (let index = platter.firstIndex; index <= through; index++) {
      const held = platter.termAt(index);
      if (held === this.#log.termAt(index) || this.#log.committedIn(index)! > term) continue;
      const committed = `(${index}, term ${this.#log.termAt(index)}) was committed before`;
      return this.#report(`${node.id} leads term ${term} with an entry of term ${held ?? '-'} where ${committed}`);
    }
  }
}
