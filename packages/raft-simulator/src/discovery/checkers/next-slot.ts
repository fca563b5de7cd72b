import type { DiscoverySimNode } from '../node/discovery-node.js';
import type { DiscoveryChecker, Report } from './checker.js';

/** A good slot ends with its directory at every honest node. */
export class NextSlot implements DiscoveryChecker {
  readonly #honest: readonly DiscoverySimNode[];
  readonly #report: Report;

  constructor(honest: readonly DiscoverySimNode[], report: Report) {
    this.#honest = honest;
    this.#report = report;
  }

  goodSlot(round: number): void {
    const without = this.#honest.filter(({ process }) => process?.consensus.currentDirectory?.round !== round);
    if (without.length === 0) return;
    const states = without.map(({ plan, process }) => {
      const has = process?.consensus.currentDirectory?.round ?? 'none';
      return `${plan.name} (${process?.consensus.state ?? 'down'}) has ${has}`;
    });
    this.#report(`slot ${round} ends without its directory: ${states.join(', ')}`);
  }
}
