import { roundOf } from '../calendar.js';
import { nameOf, readItem } from '../crypto/packets.js';
import type { DiscoveryChecker, Report, SignedListing } from './checker.js';
import type { CheckedCommittee, CheckedCommittees } from './committees.js';
import { validAt, type KnownPackets } from './known-packets.js';

/**
 * Whatever has a quorum of signatures, directory of a round or not, lists only items of authentic packets that are valid
 * at creation and that enough members have signed: those of the trust root that it names.
 */
export class AttestedItems implements DiscoveryChecker {
  readonly #parts: {
    readonly packets: KnownPackets;
    readonly committees: CheckedCommittees;
    readonly report: Report;
  };
  /** By packet: who signed it. */
  readonly #attesters = new Map<string, Set<string>>();
  /** By digest: who signed the listing. */
  readonly #signers = new Map<string, Set<string>>();

  constructor(parts: { packets: KnownPackets; committees: CheckedCommittees; report: Report }) {
    this.#parts = parts;
  }

  packetSigned(identity: string, packet: Uint8Array): void {
    const known = this.#parts.packets.of(packet);
    if (known === null) return;
    let attesters = this.#attesters.get(known.key);
    if (attesters === undefined) this.#attesters.set(known.key, (attesters = new Set<string>()));
    attesters.add(identity);
  }

  listingSigned({ identity, listing }: SignedListing): void {
    let signers = this.#signers.get(listing.digest);
    if (signers === undefined) this.#signers.set(listing.digest, (signers = new Set<string>()));
    if (signers.has(identity)) return;
    signers.add(identity);
    const { committees } = this.#parts;
    const committee = committees.of(listing.rootVersion);
    if (committee?.members.has(identity) !== true || !committees.isComplete(committee.version, signers)) return;
    for (const item of listing.items) {
      const fault = this.#fault(item, listing.creation, committee);
      if (fault === undefined) continue;
      const name = nameOf(readItem(item)?.identity ?? '?');
      const when = roundOf(listing.creation);
      const where = when === undefined ? `what is dated ${listing.creation}` : `round ${when}`;
      return this.#parts.report(`${name} ${fault}, and a quorum has signed it in ${where}`);
    }
  }

  #fault(item: Uint8Array, creation: number, { members, attestations }: CheckedCommittee): string | undefined {
    const packets = this.#parts.packets.withItem(item);
    if (packets.length === 0) return 'is in no authentic packet';
    const valid = packets.filter((packet) => validAt(packet, creation));
    if (valid.length === 0) return 'is not valid at creation';
    const counted = ({ key }: { readonly key: string }): number =>
      [...(this.#attesters.get(key) ?? [])].filter((attester) => members.has(attester)).length;
    const most = Math.max(...valid.map(counted));
    return most >= attestations ? undefined : `is attested by ${most} members of ${attestations} that it takes`;
  }
}
