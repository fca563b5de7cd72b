import type { StoredDirectory } from '@discovery-raft/discovery-consensus-fsm';
import { LIFETIME_SLOTS, roundOf, SLOT_SECONDS } from '../calendar.js';
import { holds } from '../crypto/judge.js';
import type { Keyring } from '../crypto/keyring.js';
import type { ListingReader, ReadListing } from '../crypto/listings.js';
import { nameOf, readItem } from '../crypto/packets.js';
import type { DiscoverySimNode } from '../node/discovery-node.js';
import type { DiscoveryChecker, Report } from './checker.js';
import type { CheckedCommittees } from './committees.js';

/**
 * What an honest node hands out is unexpired and in order, and carries a quorum of the signatures of the trust root that it
 * names, each over exactly these bytes; no other root's node counts. Only what it makes while it has nothing else carries its own signature alone, and cannot be taken
 * for the directory of a round.
 */
export class ServedDirectories implements DiscoveryChecker {
  readonly #parts: {
    readonly ring: Keyring;
    readonly listings: ListingReader;
    readonly committees: CheckedCommittees;
    readonly report: Report;
  };
  readonly #good = new WeakSet<StoredDirectory>();

  constructor(parts: { ring: Keyring; listings: ListingReader; committees: CheckedCommittees; report: Report }) {
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
    const { committees } = this.#parts;
    const { rootVersion } = listing;
    if (listing.creation < (committees.of(rootVersion)?.activation ?? Infinity)) return `names root ${rootVersion}`;
    if (!committees.isComplete(rootVersion, signers)) {
      const by = [...signers].map(nameOf).join(' ');
      return `carries good signatures of ${by}, which are no quorum of root ${rootVersion}`;
    }
    return inOrder(listing) ? undefined : 'is out of order';
  }

  #signers({ directory }: StoredDirectory, { creation }: ReadListing): Set<string> {
    const { ring } = this.#parts;
    const signers = new Set<string>();
    for (const signature of directory.signatures) {
      const signer = ring.signer(signature, directory.directory);
      if (signer !== null && holds(signer, creation)) signers.add(signer.identity);
    }
    return signers;
  }
}

/** Sorted by identity, each once. */
function inOrder({ items }: ReadListing): boolean {
  const identities = items.map((bytes) => readItem(bytes)?.identity ?? '');
  return identities.every((identity, i) => identity !== '' && (i === 0 || identities[i - 1]! < identity));
}
