import { GRACE_SECONDS, roundOf, VOTE_SECONDS } from '../calendar.js';
import { readItem } from '../crypto/packets.js';
import type { DiscoverySimNode } from '../node/discovery-node.js';
import type { DiscoveryChecker, Report, SignedListing } from './checker.js';
import { validAt, type KnownPacket, type KnownPackets } from './known-packets.js';

interface Attested {
  readonly packet: KnownPacket;
  /** In right time. */
  readonly atSeconds: number;
}

/** What this checker looks at. */
export interface OwnItemsParts {
  readonly packets: KnownPackets;
  /** An honest node. */
  readonly node: (identity: string) => DiscoverySimNode | undefined;
  /** Seconds, right time. */
  readonly now: () => number;
  /** For how long a node's clock has not been set, seconds. */
  readonly steadySeconds: (id: string) => number;
  readonly report: Report;
}

const SHARE = 0.75;
/** Between the look at the clock that decides, and the signature. */
const WORK_SECONDS = 2 * VOTE_SECONDS;

/**
 * While liars lead: a voter signs no listing that lacks more than a quarter of what it attested itself a slot before. Asked
 * of followers that have never restarted, as a node may forget what it attested. Setting a clock makes no item older or
 * younger.
 */
export class OwnItemsListed implements DiscoveryChecker {
  readonly #parts: OwnItemsParts;
  readonly #attested = new Map<string, Map<string, Attested>>();

  constructor(parts: OwnItemsParts) {
    this.#parts = parts;
  }

  packetSigned(identity: string, packet: Uint8Array): void {
    const known = this.#parts.packets.of(packet);
    const node = this.#parts.node(identity);
    if (known === null || node?.process?.number !== 1) return;
    let own = this.#attested.get(identity);
    if (own === undefined) this.#attested.set(identity, (own = new Map<string, Attested>()));
    own.set(known.identity, { packet: known, atSeconds: this.#parts.now() });
  }

  listingSigned({ node, listing }: SignedListing): void {
    const { creation } = listing;
    const round = roundOf(creation);
    if (node === null || round === undefined || listing.isShort) return;
    const { process } = node;
    const { now, steadySeconds, report } = this.#parts;
    if (process?.number !== 1 || process.consensus.isLeader() || steadySeconds(node.id) < WORK_SECONDS) return;
    const listed = new Map<string, number>();
    for (const bytes of listing.items) {
      const item = readItem(bytes);
      if (item !== undefined) listed.set(item.identity, Number(item.expiration));
    }
    const attestedBy = now() + creation - node.wallNow() - GRACE_SECONDS;
    const own = [...(this.#attested.get(node.id) ?? [])].filter(
      ([, { packet, atSeconds }]) => validAt(packet, creation) && atSeconds <= attestedBy,
    );
    const there = own.filter(([identity, { packet }]) => (listed.get(identity) ?? 0) >= packet.expiration);
    if (there.length >= own.length * SHARE) return;
    report(
      `${node.plan.name} signs a listing of round ${round} with ${there.length} of the ${own.length} items that it attested`,
    );
  }
}
