import { roundOf } from '../calendar.js';
import { nameOf } from '../crypto/packets.js';
import type { DiscoveryChecker, Report, SignedListing } from './checker.js';
import type { CheckedCommittees } from './committees.js';

/**
 * Once a quorum has signed the next trust root, nothing of a round from its activation on has a quorum that says that the
 * root before decided it: not before that quorum, and not ever after. Counts every signature that was ever made.
 */
export class RootDecides implements DiscoveryChecker {
  readonly #committees: CheckedCommittees;
  readonly #report: Report;
  readonly #rootSigners = new Set<string>();
  /** Of listings by the first root for rounds from the activation of the next on, by digest. */
  readonly #late = new Map<string, Set<string>>();
  #lateQuorum: string | undefined;

  constructor(committees: CheckedCommittees, report: Report) {
    this.#committees = committees;
    this.#report = report;
  }

  rootSigned(identity: string): void {
    this.#rootSigners.add(identity);
    this.#compare();
  }

  listingSigned({ identity, listing: { creation, digest, rootVersion } }: SignedListing): void {
    const round = roundOf(creation);
    const next = this.#committees.of(2);
    if (next === undefined || rootVersion !== 1 || round === undefined || creation < next.activation) return;
    let signers = this.#late.get(digest);
    if (signers === undefined) this.#late.set(digest, (signers = new Set<string>()));
    signers.add(identity);
    if (!this.#committees.isComplete(1, signers)) return;
    this.#lateQuorum ??= `a listing of round ${round} by ${[...signers].map(nameOf).join(' ')}`;
    this.#compare();
  }

  #compare(): void {
    if (this.#lateQuorum === undefined || !this.#committees.isComplete(1, this.#rootSigners)) return;
    const by = [...this.#rootSigners].map(nameOf).join(' ');
    this.#report(`a quorum of the first root signed the next one (${by}), and ${this.#lateQuorum}`);
  }
}
