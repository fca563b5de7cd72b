import type { StoredDirectory } from '@discovery-raft/discovery-consensus-fsm';
import { LIFETIME_SLOTS, roundOf, SLOT_SECONDS } from '../calendar.js';
import { holds } from '../crypto/judge.js';
import type { Keyring } from '../crypto/keyring.js';
import type { ListingReader, ReadListing } from '../crypto/listings.js';
import { readItem } from '../crypto/packets.js';
import type { DiscoverySimNode } from '../node/discovery-node.js';
import type { DiscoveryChecker, Report } from './checker.js';

/**
 * What an honest node hands out is unexpired and in order, and carries a quorum of its members' signatures, each over
 * exactly these bytes. Only what it makes while it has nothing else carries its own signature alone, and cannot be taken
 * for the directory of a round.
 */
export class ServedDirectories implements DiscoveryChecker {
  readonly #parts: {
    readonly ring: Keyring;
    readonly listings: ListingReader;
    readonly members: ReadonlySet<string>;
    readonly quorum: number;
    readonly report: Report;
  };
  readonly #good = new WeakSet<StoredDirectory>();

  constructor(parts: {
    ring: Keyring;
    listings: ListingReader;
    members: ReadonlySet<string>;
    quorum: number;
    report: Report;
  }) {
    this.#parts = parts;
  }

  served(node: DiscoverySimNode, directory: StoredDirectory): void {
    const fault = node.wallNow() >= directory.expiration ? 'has expired' : this.#fault(node.id, directory);
    if (fault === undefined) this.#good.add(directory);
    else this.#parts.report(`${node.plan.name} serves a directory of round ${directory.round} that ${fault}`);
  }

  #fault(self: string, stored: StoredDirectory): string | undefined {
    if (this.#good.has(stored)) return undefined;
    const listing = this.#parts.listings.read(stored.directory.directory);
    if (listing === null) return 'holds no listing';
    if (listing.creation !== stored.creation || listing.expiration !== stored.expiration) return 'is misdated';
    const signers = this.#signers(stored, listing);
    const round = roundOf(listing.creation);
    if (stored.round === 0) {
      if (round !== undefined) return `is interim, and dated like that of round ${round}`;
      return signers.size === 1 && signers.has(self) ? undefined : 'is interim, without the own signature';
    }
    if (round !== stored.round) return 'is of no round, or another';
    if (listing.expiration !== listing.creation + LIFETIME_SLOTS * SLOT_SECONDS) return 'lives too long or too short';
    if (signers.size < this.#parts.quorum) return `carries ${signers.size} good signatures of ${this.#parts.quorum}`;
    return inOrder(listing) ? undefined : 'is out of order';
  }

  #signers({ directory }: StoredDirectory, { creation }: ReadListing): Set<string> {
    const { ring, members } = this.#parts;
    const signers = new Set<string>();
    for (const signature of directory.signatures) {
      const signer = ring.signer(signature, directory.directory);
      if (signer !== null && members.has(signer.identity) && holds(signer, creation)) signers.add(signer.identity);
    }
    return signers;
  }
}

/** Sorted by identity, each once. */
function inOrder({ items }: ReadListing): boolean {
  const identities = items.map((bytes) => readItem(bytes)?.identity ?? '');
  return identities.every((identity, i) => identity !== '' && (i === 0 || identities[i - 1]! < identity));
}
