import type { DiscoverySignature } from '@discovery-raft/protocol';
import type { Committee } from '../policy/committee.js';

/** What a member said. */
export type Ballot =
  | { readonly verdict: 'yes'; readonly signature: DiscoverySignature }
  | { readonly verdict: 'no' | 'notReady'; readonly reason: string };

/**
 * The votes of one round: one ballot per member, a YES is final, anything else may still become a YES. Pure bookkeeping;
 * the signature of a YES is checked before it comes here.
 */
export class VoteBox {
  readonly #members: ReadonlySet<string>;
  readonly #quorum: number;
  readonly #ballots = new Map<string, Ballot>();

  constructor({ members, quorum }: Pick<Committee, 'members' | 'quorum'>) {
    this.#members = members;
    this.#quorum = quorum;
  }

  /** Casts a ballot. @returns false for a stranger and for who said YES already */
  cast(member: string, ballot: Ballot): boolean {
    if (!this.#members.has(member) || this.hasYes(member)) return false;
    this.#ballots.set(member, ballot);
    return true;
  }

  /** Whether this member's YES is in. */
  hasYes(member: string): boolean {
    return this.#ballots.get(member)?.verdict === 'yes';
  }

  /** The signatures of all YES votes, in the order of the members' names, so that a set has one encoding. */
  get signatures(): DiscoverySignature[] {
    const found: [string, DiscoverySignature][] = [];
    for (const [member, ballot] of this.#ballots) {
      if (ballot.verdict === 'yes') found.push([member, ballot.signature]);
    }
    return found.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, signature]) => signature);
  }

  /** Why members did not say YES, for people. */
  get reasons(): string {
    const reasons: string[] = [];
    for (const [member, ballot] of this.#ballots) {
      if (ballot.verdict !== 'yes') reasons.push(`${member}: ${ballot.verdict} ${ballot.reason}`);
    }
    return reasons.join('; ');
  }

  /**
   * `complete`: enough said YES and everybody has decided; `quorum`: enough did, others may follow; `hopeless`: those who
   * have not said NO are too few; `open`: wait. Who is not ready may be in a moment: it asked for what it lacks.
   */
  get standing(): 'complete' | 'quorum' | 'hopeless' | 'open' {
    let yes = 0;
    let refused = 0;
    for (const ballot of this.#ballots.values()) {
      if (ballot.verdict === 'yes') yes++;
      else if (ballot.verdict === 'no') refused++;
    }
    if (yes >= this.#quorum) return yes + refused === this.#members.size ? 'complete' : 'quorum';
    return this.#members.size - refused < this.#quorum ? 'hopeless' : 'open';
  }
}
