import type { RpcRequest, Term } from '@discovery-raft/raft-core';
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

  sent(sent: Sent): void {
    const { from, to, message } = sent;
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
      if (sent.kind === 'response' && 'term' in sent.request && sent.request.term !== message.term) {
        this.#report(`${what} that acknowledges an append of term ${sent.request.term}`);
      }
      const { matchIndex } = message;
      if (matchIndex < platter.firstIndex || matchIndex <= (platter.snapshots[0]?.meta.index ?? 0)) return;
      const held = platter.termAt(matchIndex);
      const meant = sent.kind === 'response' ? lastTermOf(sent.request) : undefined;
      if (held === undefined || (meant !== undefined && held !== meant)) {
        const stores = `it has stored ${platter.lastIndex} entries, and one of term ${held ?? '-'} there`;
        this.#report(`${what} that acknowledges (${matchIndex}, term ${meant ?? '?'}); ${stores}`);
      }
    }
  }
}

/** Term of the last entry that an append covers. */
function lastTermOf(request: RpcRequest): Term | undefined {
  return request.kind === 'appendEntries' ? (request.entries.at(-1)?.term ?? request.prevLogTerm) : undefined;
}
