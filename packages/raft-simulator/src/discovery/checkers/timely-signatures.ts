import { roundOf, TOLERANCE_SECONDS, VOTE_SECONDS } from '../calendar.js';
import type { DiscoveryChecker, Report, SignedListing } from './checker.js';

/** A request is checked before the listing is built; that and the promise take their time. */
const WORK_SECONDS = 2 * VOTE_SECONDS;

/** An honest node signs the listing of a round when, by its own clock, that round is. */
export class TimelySignatures implements DiscoveryChecker {
  readonly #report: Report;
  /** Nodes whose clock was set, and when; what they began before is judged by no clock. */
  readonly #clockOf: (id: string) => number;

  /** @param steadySeconds for how long a node's clock has not been set */
  constructor(steadySeconds: (id: string) => number, report: Report) {
    this.#clockOf = steadySeconds;
    this.#report = report;
  }

  listingSigned({ node, listing: { creation } }: SignedListing): void {
    const round = roundOf(creation);
    if (node === null || round === undefined || this.#clockOf(node.id) < WORK_SECONDS) return;
    const late = node.wallNow() - creation;
    if (late >= -TOLERANCE_SECONDS && late <= TOLERANCE_SECONDS + WORK_SECONDS) return;
    this.#report(`${node.plan.name} signs a listing of round ${round} ${late.toFixed(1)} s after its creation`);
  }
}
