import type { Sent } from '../network/sim-network.js';
import type { Checker, Cluster, Report } from './checker.js';

/**
 * What a message rests on is on its sender's disk when it leaves: its term, its vote, the entries that it acknowledges
 * (Raft paper, figure 2; RAFT.md, section 4, rule 4). An answer of a term that has passed may speak of entries that were
 * taken away since.
 */
export class DurableAnswers implements Checker {
  static readonly rule = 'durable before answered';
  readonly #cluster: Cluster;
  readonly #report: Report;

  constructor(cluster: Cluster, report: Report) {
    this.#cluster = cluster;
    this.#report = report;
  }

  sent({ from, to, message }: Sent): void {
    // A pre-vote speaks of a term that nobody is in yet; timeoutNow's answer speaks of none.
    if (message.kind === 'requestPreVote' || message.kind === 'timeoutNowResponse') return;
    const { platter } = this.#cluster.node(from).disk;
    const stored = platter.hardState?.term ?? 0;
    const what = `${from} sends ${to} a ${message.kind} of term ${message.term}`;
    if (stored < message.term) return this.#report(`${what}, and has stored term ${stored}`);
    if (stored > message.term) return;
    if (message.kind === 'requestVoteResponse' && message.granted && platter.hardState?.votedFor !== to) {
      this.#report(
        `${what} that grants its vote, and has stored a vote for ${platter.hardState?.votedFor ?? 'nobody'}`,
      );
    }
    if (message.kind === 'requestVote' && platter.hardState?.votedFor !== from) {
      this.#report(`${what} as a candidate, and has stored a vote for ${platter.hardState?.votedFor ?? 'nobody'}`);
    }
    if (message.kind === 'appendEntriesResponse' && message.success) {
      const last = Math.max(platter.lastIndex, platter.snapshots[0]?.meta.index ?? 0);
      if (message.matchIndex > last) {
        this.#report(`${what} that acknowledges ${message.matchIndex}, and has stored ${last}`);
      }
    }
  }
}
