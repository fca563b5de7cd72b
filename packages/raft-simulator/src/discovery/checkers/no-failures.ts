import type { ConsensusEvents } from '@discovery-raft/discovery-consensus-fsm';
import type { DiscoverySimNode } from '../node/discovery-node.js';
import type { DiscoveryChecker, Receipt, Report } from './checker.js';

/** Whatever others do: an honest node does not throw, does not stop, and does not find a bug in itself. */
export class NoFailures implements DiscoveryChecker {
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  failed(node: DiscoverySimNode, what: string): void {
    this.#report(`${node.plan.name}: ${what}`);
  }

  alarm(node: DiscoverySimNode, { code, detail }: Parameters<ConsensusEvents['alarmRaised']>[0]): void {
    if (code === 'internal') this.#report(`${node.plan.name} raises an alarm about itself: ${detail}`);
    // No fault of the simulation changes a state, so whoever stops for that was talked into it.
    if (code === 'stateDiverged') this.#report(`${node.plan.name} takes its state for wrong: ${detail}`);
  }

  refused(node: DiscoverySimNode, { code, detail }: Parameters<ConsensusEvents['messageRefused']>[0]): void {
    if (code === 'internal') this.#report(`${node.plan.name} fails at a message: ${detail}`);
  }

  receipt({ node, outcome }: Receipt): void {
    if (outcome.code === 'internal') this.#report(`${node.plan.name} fails at a publish: ${outcome.detail}`);
  }
}
