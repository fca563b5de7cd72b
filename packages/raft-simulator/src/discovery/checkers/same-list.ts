import type { ListView } from '@discovery-raft/raft-log-list';
import type { DiscoverySimNode } from '../node/discovery-node.js';
import type { DiscoveryChecker, Report } from './checker.js';

/** The lists of honest nodes at one log index are the same to the bit, and so are the logs that led to them. */
export class SameList implements DiscoveryChecker {
  readonly #report: Report;
  readonly #digests = new Map<number, { digest: string; by: string }>();

  constructor(report: Report) {
    this.#report = report;
  }

  viewed(node: DiscoverySimNode, view: ListView): void {
    const digest = Buffer.from(view.digest()).toString('hex');
    const known = this.#digests.get(view.index);
    if (known === undefined) this.#digests.set(view.index, { digest, by: node.plan.name });
    else if (known.digest !== digest) {
      this.#report(`the lists of ${known.by} and ${node.plan.name} at index ${view.index} differ`);
    }
  }
}
