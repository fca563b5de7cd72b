import { roundOf } from '../calendar.js';
import type { DiscoveryChecker, Report, SignedListing } from './checker.js';

/** An honest node signs one listing in a round, whatever it crashes between, and none of an older round. */
export class OneSignatureARound implements DiscoveryChecker {
  readonly #report: Report;
  readonly #last = new Map<string, { round: number; digest: string }>();

  constructor(report: Report) {
    this.#report = report;
  }

  listingSigned({ node, listing }: SignedListing): void {
    const round = roundOf(listing.creation);
    if (node === null || round === undefined || listing.isShort) return;
    const { digest } = listing;
    const last = this.#last.get(node.id);
    this.#last.set(node.id, { round, digest });
    if (last === undefined || last.round < round) return;
    if (last.round > round) this.#report(`${node.plan.name} signs in round ${round} after one of ${last.round}`);
    else if (last.digest !== digest) this.#report(`${node.plan.name} signs two listings in round ${round}`);
  }
}
