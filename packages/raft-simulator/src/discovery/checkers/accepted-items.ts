import type { StoredRecord } from '@discovery-raft/raft-log-list';
import { creationOf, SLOT_SECONDS } from '../calendar.js';
import type { Keyring } from '../crypto/keyring.js';
import type { ListingReader } from '../crypto/listings.js';
import { nameOf, readItem } from '../crypto/packets.js';
import type { DiscoveryProcess, DiscoverySimNode } from '../node/discovery-node.js';
import type { DiscoveryChecker, Receipt, Report } from './checker.js';
import type { CheckedCommittee } from './committees.js';
import { validAt, type KnownPacket, type KnownPackets } from './known-packets.js';

interface Accepted {
  readonly packet: KnownPacket;
  /** Unix seconds, right time, at which its acceptance was first told. */
  readonly since: number;
  /** Somebody was told that it is in the shared list. */
  confirmed: boolean;
}

/**
 * What an honest node accepted is in every directory of a good slot, in that version or a newer one, while it is valid at
 * creation and was accepted at least a slot before. Good slots are those after the faults; see the simulation.
 *
 * During the faults an accepted item is safe as long as one of its keepers is: an honest process that attested it, or that
 * has read its own attestation in the list. A receipt that promises more, that the item is in the shared list, outlives all
 * keepers, unless a lying leader has taken it out of the list.
 */
export class AcceptedItems implements DiscoveryChecker {
  readonly #parts: {
    readonly packets: KnownPackets;
    readonly ring: Keyring;
    readonly listings: ListingReader;
    readonly honest: readonly DiscoverySimNode[];
    readonly committeeAt: (creation: number) => CheckedCommittee;
    readonly now: () => number;
    readonly report: Report;
  };
  readonly #accepted = new Map<string, Accepted>();
  /** By packet: the processes that keep it, and whose they are. */
  readonly #keepers = new Map<string, Map<DiscoveryProcess, string>>();
  readonly #removed = new Set<string>();
  /** How often an item was looked for in a good slot, and how often nothing could be asked. */
  readonly counts = { found: 0, forgotten: 0 };

  constructor(parts: {
    packets: KnownPackets;
    ring: Keyring;
    listings: ListingReader;
    honest: readonly DiscoverySimNode[];
    committeeAt: (creation: number) => CheckedCommittee;
    now: () => number;
    report: Report;
  }) {
    this.#parts = parts;
  }

  receipt({ packet, outcome, confirmed }: Receipt): void {
    const known = this.#parts.packets.of(packet);
    if (outcome.code !== 'accepted' || known === null) return;
    const before = this.#accepted.get(known.key);
    if (before !== undefined) before.confirmed ||= confirmed;
    else this.#accepted.set(known.key, { packet: known, since: this.#parts.now(), confirmed });
  }

  packetSigned(identity: string, packet: Uint8Array): void {
    const node = this.#parts.honest.find(({ id }) => id === identity);
    if (node !== undefined) this.#keep(node, packet);
  }

  inserted(node: DiscoverySimNode, record: StoredRecord): void {
    const own = record.attestations.find(({ attester }) => attester === node.id);
    // A liar may have written it in this node's name.
    if (own === undefined || this.#parts.ring.signer(own.signature, record.packet)?.identity !== node.id) return;
    this.#keep(node, record.packet);
  }

  deleted(_node: DiscoverySimNode, record: StoredRecord): void {
    const known = this.#parts.packets.of(record.packet);
    if (known !== null && known.expiration > this.#parts.now()) this.#removed.add(known.key);
  }

  died(_node: DiscoverySimNode, process: DiscoveryProcess): void {
    for (const keepers of this.#keepers.values()) keepers.delete(process);
  }

  goodSlot(round: number): void {
    const creation = creationOf(round);
    const { members } = this.#parts.committeeAt(creation);
    const owed = [...this.#accepted].filter(([key, { packet, since, confirmed }]) => {
      if (!validAt(packet, creation) || since > creation - SLOT_SECONDS) return false;
      const keepers = [...(this.#keepers.get(key)?.values() ?? [])];
      // Nobody heeds what a node keeps that the trust root has dropped.
      const kept = keepers.some((id) => members.has(id)) || (confirmed && !this.#removed.has(key));
      if (!kept) this.counts.forgotten++;
      return kept;
    });
    for (const node of this.#parts.honest) {
      const directory = node.process?.consensus.currentDirectory;
      if (directory?.round !== round) continue;
      const listed = this.#listed(directory.directory.directory);
      for (const [, { packet, confirmed }] of owed) {
        this.counts.found++;
        if ((listed.get(packet.identity) ?? 0) >= packet.expiration) continue;
        const how = confirmed ? 'accepted and confirmed' : 'accepted';
        return this.#parts.report(
          `${nameOf(packet.identity)} until ${packet.expiration} was ${how}, and the directory of round ${round} at ` +
            `${node.plan.name} lacks it`,
        );
      }
    }
  }

  #keep(node: DiscoverySimNode, packet: Uint8Array): void {
    const known = this.#parts.packets.of(packet);
    if (known === null || node.process === null) return;
    let keepers = this.#keepers.get(known.key);
    if (keepers === undefined) this.#keepers.set(known.key, (keepers = new Map<DiscoveryProcess, string>()));
    keepers.set(node.process, node.id);
  }

  #listed(bytes: Uint8Array): Map<string, number> {
    const listed = new Map<string, number>();
    for (const item of this.#parts.listings.read(bytes)?.items ?? []) {
      const read = readItem(item);
      if (read !== undefined) listed.set(read.identity, Number(read.expiration));
    }
    return listed;
  }
}
