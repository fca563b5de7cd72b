import { roundOf } from '../calendar.js';
import { hex } from '../crypto/keyring.js';
import type { DiscoverySimNode } from '../node/discovery-node.js';
import type { DiscoveryRequestConsensusVote } from '@discovery-raft/protocol';
import type { DiscoveryChecker, Report, SignedListing } from './checker.js';

/**
 * A follower signs what the leader that Raft names asked it to sign, and nothing else: the digest is the same, so both
 * hold the same bytes. A leader signs what it builds itself.
 */
export class AskedFor implements DiscoveryChecker {
  readonly #report: Report;
  readonly #asked = new Map<string, Set<string>>();

  constructor(report: Report) {
    this.#report = report;
  }

  requestArriving(node: DiscoverySimNode, from: string, request: DiscoveryRequestConsensusVote): void {
    const leader = node.process?.consensus.machine.leaderId;
    if (from !== leader) return;
    let asked = this.#asked.get(node.id);
    if (asked === undefined) this.#asked.set(node.id, (asked = new Set<string>()));
    asked.add(`${request.creation} ${hex(request.listDigest)}`);
  }

  listingSigned({ node, listing: { creation, digest, isShort } }: SignedListing): void {
    const round = roundOf(creation);
    if (node === null || round === undefined || isShort || node.process?.consensus.isLeader() === true) return;
    if (this.#asked.get(node.id)?.has(`${creation} ${digest}`) === true) return;
    this.#report(`${node.plan.name} signs a listing of round ${round} that its leader did not ask for`);
  }
}
