import type { Raft } from '@discovery-raft/raft-core';
import type { DiskWrite } from '../disk/platter.js';
import type { SimNode } from '../node/sim-node.js';
import type { Checker, Report } from './checker.js';

interface Marks {
  readonly raft: Raft<never>;
  term: number;
  commit: number;
  applied: number;
}

/**
 * Terms, commit indexes and applied indexes never go back while a process lives, a stored term never does, a stored vote
 * is never changed; applied <= committed <= last entry.
 */
export class Monotone implements Checker {
  static readonly rule = 'monotone term and commit';
  readonly #marks = new Map<SimNode, Marks>();
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  written(node: SimNode, write: DiskWrite): void {
    if (write.kind !== 'hardState' || write.before === null) return;
    const { before, state } = write;
    if (state.term < before.term) {
      this.#report(`${node.id} stores term ${state.term} after term ${before.term}`);
    } else if (state.term === before.term && before.votedFor !== null && state.votedFor !== before.votedFor) {
      this.#report(
        `${node.id} stores a vote for ${state.votedFor} in term ${state.term} after one for ${before.votedFor}`,
      );
    }
  }

  settled(node: SimNode): void {
    const { raft } = node;
    if (raft === null || raft.state === 'shutdown') return;
    const { term, commitIndex, appliedIndex, lastIndex } = raft;
    let marks = this.#marks.get(node);
    if (marks === undefined || marks.raft !== (raft as unknown)) {
      marks = { raft: raft as unknown as Raft<never>, term: 0, commit: 0, applied: 0 };
      this.#marks.set(node, marks);
    }
    if (term < marks.term) this.#report(`${node.id} goes back from term ${marks.term} to ${term}`);
    if (commitIndex < marks.commit)
      this.#report(`${node.id} takes its commit index back: ${marks.commit}, ${commitIndex}`);
    if (appliedIndex < marks.applied)
      this.#report(`${node.id} takes its applied index back: ${marks.applied}, ${appliedIndex}`);
    if (commitIndex > lastIndex) this.#report(`${node.id} has committed ${commitIndex} of ${lastIndex} entries`);
    marks.term = term;
    marks.commit = commitIndex;
    marks.applied = appliedIndex;
  }
}
