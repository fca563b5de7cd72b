import { creationOf } from '../calendar.js';
import type { DiscoverySimNode } from '../node/discovery-node.js';
import type { DiscoveryChecker, Report } from './checker.js';
import type { CheckedCommittee } from './committees.js';

/** A good slot ends with its directory at every honest node of the trust root that decides it. */
export class NextSlot implements DiscoveryChecker {
  readonly #honest: readonly DiscoverySimNode[];
  readonly #report: Report;

  readonly #committeeAt: (creation: number) => CheckedCommittee;

  constructor(
    honest: readonly DiscoverySimNode[],
    committeeAt: (creation: number) => CheckedCommittee,
    report: Report,
  ) {
    this.#committeeAt = committeeAt;
    this.#honest = honest;
    this.#report = report;
  }

  goodSlot(round: number): void {
    const { members } = this.#committeeAt(creationOf(round));
    const expected = this.#honest.filter(({ id }) => members.has(id));
    const without = expected.filter(({ process }) => process?.consensus.currentDirectory?.round !== round);
    if (without.length === 0) return;
    const states = without.map(({ plan, process }) => {
      const has = process?.consensus.currentDirectory?.round ?? 'none';
      return `${plan.name} (${process?.consensus.state ?? 'down'}) has ${has}`;
    });
    this.#report(`slot ${round} ends without its directory: ${states.join(', ')}`);
  }
}
