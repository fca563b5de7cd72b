import type { StoredDirectory } from '@discovery-raft/discovery-consensus-fsm';
import type { DiscoverySimNode } from '../node/discovery-node.js';
import type { DiscoveryChecker, Report } from './checker.js';

/**
 * A node never hands out a directory of an older round than before: not while it runs, and after a crash none that is
 * older than what its disk confirmed.
 */
export class RoundsGoForward implements DiscoveryChecker {
  readonly #report: Report;
  /** The newest directory, by node. */
  readonly #newest = new Map<string, StoredDirectory>();

  constructor(report: Report) {
    this.#report = report;
  }

  starting(node: DiscoverySimNode): void {
    const { directory } = node.directoryDisk;
    if (directory === null) this.#newest.delete(node.id);
    else this.#newest.set(node.id, directory);
  }

  served(node: DiscoverySimNode, directory: StoredDirectory): void {
    const before = this.#newest.get(node.id);
    if (before !== undefined && directory.round < before.round) {
      // Once the last one has expired, what a node makes by itself may stand in.
      if (directory.round === 0 && node.wallNow() >= before.expiration) return;
      this.#report(`${node.plan.name} goes back from round ${before.round} to ${directory.round}`);
    }
    if (directory.round > 0) this.#newest.set(node.id, directory);
  }

  published(node: DiscoverySimNode, directory: StoredDirectory): void {
    this.served(node, directory);
  }
}
