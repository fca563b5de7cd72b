import type { ServerId, Term } from '@discovery-raft/raft-core';
import type { Sent } from '../network/sim-network.js';
import type { Recovery } from '../node/disaster.js';
import type { SimNode } from '../node/sim-node.js';
import type { Checker, Report } from './checker.js';

/** At most one leader a term, and at most one vote a server and term (Raft paper, section 5.2). */
export class ElectionSafety implements Checker {
  static readonly rule = 'election safety';
  readonly #leaders = new Map<Term, ServerId>();
  readonly #votes = new Map<string, ServerId>();
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  roleChanged(node: SimNode): void {
    const { role, roleTerm } = node.process!;
    if (role === 'leader') this.#leads(node.id, roleTerm, 'is elected in');
  }

  sent(sent: Sent): void {
    const { message, from, to } = sent;
    if (message.kind === 'appendEntries' || message.kind === 'installSnapshot') {
      this.#leads(from, message.term, 'sends as the leader of');
    } else if (message.kind === 'requestVoteResponse' && message.granted) {
      const key = `${from} ${message.term}`;
      const before = this.#votes.get(key) ?? to;
      this.#votes.set(key, before);
      if (before !== to) this.#report(`${from} votes for ${to} in term ${message.term}, and voted for ${before}`);
    }
  }

  recovered(recovery: Recovery | null): void {
    if (recovery === null) return;
    // Who is left may not know of the newest terms.
    this.#leaders.clear();
    this.#votes.clear();
  }

  #leads(id: ServerId, term: Term, how: string): void {
    const before = this.#leaders.get(term) ?? id;
    this.#leaders.set(term, before);
    if (before !== id) this.#report(`${id} ${how} term ${term}, whose leader is ${before}`);
  }
}
