import { GRACE_SECONDS, roundOf } from '../calendar.js';
import { readItem } from '../crypto/packets.js';
import type { DiscoverySimNode } from '../node/discovery-node.js';
import type { DiscoveryChecker, Report, SignedListing } from './checker.js';
import { validAt, type KnownPacket, type KnownPackets } from './known-packets.js';

interface Attested {
  readonly packet: KnownPacket;
  /** By the node's own clock. */
  readonly atSeconds: number;
}

const SHARE = 0.75;

/**
 * While liars lead: a voter signs no listing that lacks more than a quarter of what it attested itself a slot before. Asked
 * of followers that have never restarted, as a node may forget what it attested.
 */
export class OwnItemsListed implements DiscoveryChecker {
  readonly #packets: KnownPackets;
  readonly #report: Report;
  readonly #attested = new Map<string, Map<string, Attested>>();
  readonly #node: (identity: string) => DiscoverySimNode | undefined;

  constructor(packets: KnownPackets, node: (identity: string) => DiscoverySimNode | undefined, report: Report) {
    this.#packets = packets;
    this.#node = node;
    this.#report = report;
  }

  packetSigned(identity: string, packet: Uint8Array): void {
    const known = this.#packets.of(packet);
    const node = this.#node(identity);
    if (known === null || node?.process?.number !== 1) return;
    let own = this.#attested.get(identity);
    if (own === undefined) this.#attested.set(identity, (own = new Map<string, Attested>()));
    own.set(known.identity, { packet: known, atSeconds: node.wallNow() });
  }

  listingSigned({ node, listing }: SignedListing): void {
    const { creation } = listing;
    const round = roundOf(creation);
    if (node === null || round === undefined || listing.isShort) return;
    const { process } = node;
    if (process?.number !== 1 || process.consensus.isLeader()) return;
    const listed = new Map<string, number>();
    for (const bytes of listing.items) {
      const item = readItem(bytes);
      if (item !== undefined) listed.set(item.identity, Number(item.expiration));
    }
    const own = [...(this.#attested.get(node.id) ?? [])].filter(
      ([, { packet, atSeconds }]) => validAt(packet, creation) && atSeconds <= creation - GRACE_SECONDS,
    );
    const there = own.filter(([identity, { packet }]) => (listed.get(identity) ?? 0) >= packet.expiration);
    if (there.length >= own.length * SHARE) return;
    this.#report(
      `${node.plan.name} signs a listing of round ${round} with ${there.length} of the ${own.length} items that it attested`,
    );
  }
}
