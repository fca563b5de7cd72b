import { roundOf } from '../calendar.js';
import { hex } from '../crypto/keyring.js';
import type { DiscoverySimNode } from '../node/discovery-node.js';
import type { DiscoveryRequestConsensusVote } from '@discovery-raft/protocol';
import type { DiscoveryChecker, Report, SignedListing } from './checker.js';

/**
 * A follower signs what the leader that Raft names asked it to sign, and nothing else: the digest is the same, so both
 * hold the same bytes. Who leads a round signs what it builds itself, even if it has ceased to lead when the promise is on
 * its disk.
 */
export class AskedFor implements DiscoveryChecker {
  readonly #report: Report;
  readonly #asked = new Map<string, Set<string>>();
  readonly #led = new Map<string, number>();

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

  led(node: DiscoverySimNode, round: number): void {
    this.#led.set(node.id, round);
  }

  listingSigned({ node, listing: { creation, digest, isShort } }: SignedListing): void {
    const round = roundOf(creation);
    if (node === null || round === undefined || isShort || this.#led.get(node.id) === round) return;
    if (this.#asked.get(node.id)?.has(`${creation} ${digest}`) === true) return;
    this.#report(`${node.plan.name} signs a listing of round ${round} that its leader did not ask for`);
  }
}
