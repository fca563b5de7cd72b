import { create, toBinary } from '@bufbuild/protobuf';
import { DiscoveryListingSchema } from '@discovery-raft/protocol';
import { SHORT_LISTING_BYTES, shortListingOf, type ShortListing } from '@discovery-raft/psp-envelope';
import type { Sha256 } from '../ports.js';
import type { JudgedEntry } from './judgement.js';
import { entryValid } from './judgement.js';
import type { Policy } from './thresholds.js';

/** What a listing is built for. Times are Unix seconds. */
export interface ListingHeader {
  readonly version: string;
  readonly creation: number;
  readonly expiration: number;
}

/** A listing as every honest voter builds it, and what voters need to know of it. */
export interface BuiltListing {
  /** `DiscoveryListing` bytes; what members sign. */
  readonly bytes: Uint8Array;
  /** SHA-256 of `bytes`. */
  readonly digest: Uint8Array;
  /** Number of items. */
  readonly items: number;
  /** Expiration of the listed item, by identity. */
  readonly listed: ReadonlyMap<string, number>;
  /** Identities with an unexpired record. */
  readonly entries: number;
  /** Of those, how many have a valid entry. */
  readonly validEntries: number;
  /** What follows from `bytes` for deployed clients; undefined when they can take `bytes`. */
  readonly short: ShortListing | undefined;
}

/**
 * Builds the listing: per identity the newest entry that counts at `creation`, sorted bytewise by identity, item bytes
 * as published. Pure: the same entries, header and policy give the same bytes on every node, in whatever order the
 * entries come. O(n) when they come in identity order.
 *
 * @param entries the frozen list, judged at `header.creation`
 * @param attestationsNeeded countable attestations that make an entry valid
 * @param shortListingBytes over this, a short listing is made too
 */
export function buildListing(
  entries: Iterable<JudgedEntry>,
  header: ListingHeader,
  policy: Policy,
  attestationsNeeded: number,
  sha256: Sha256,
  shortListingBytes = SHORT_LISTING_BYTES,
): BuiltListing {
  const chosen = new Map<string, JudgedEntry>();
  const present = new Set<string>();
  const valid = new Set<string>();
  for (const entry of entries) {
    if (entry.expiration <= header.creation) continue;
    present.add(entry.identity);
    const counts = entryValid(entry, header.creation, attestationsNeeded);
    if (counts) valid.add(entry.identity);
    if (entry.itemBytes === undefined || (policy.listed === 'validEntries' && !counts)) continue;
    const held = chosen.get(entry.identity);
    if (held === undefined || isNewer(entry, held)) chosen.set(entry.identity, entry);
  }
  const sorted = inIdentityOrder([...chosen.values()]);
  const bytes = encodeListing(sorted, header);
  return {
    bytes,
    digest: sha256(bytes),
    items: sorted.length,
    listed: new Map(sorted.map((entry) => [entry.identity, entry.expiration])),
    entries: present.size,
    validEntries: valid.size,
    short: shortListingOf(bytes, { maxBytes: shortListingBytes, sha256 }),
  };
}

/** Total order of versions of one identity: expiration, then bytes, so that equal expirations cannot split voters. */
function isNewer(entry: JudgedEntry, held: JudgedEntry): boolean {
  if (entry.expiration !== held.expiration) return entry.expiration > held.expiration;
  return compareBytes(entry.itemBytes ?? EMPTY, held.itemBytes ?? EMPTY) > 0;
}

const EMPTY = new Uint8Array(0);

function inIdentityOrder(entries: JudgedEntry[]): JudgedEntry[] {
  const ordered = entries.every((entry, i) => i === 0 || entries[i - 1]!.identity < entry.identity);
  // Identities are ASCII (anything else was refused as a packet), so comparing code units compares bytes.
  return ordered ? entries : entries.sort((a, b) => (a.identity < b.identity ? -1 : 1));
}

function encodeListing(entries: readonly JudgedEntry[], header: ListingHeader): Uint8Array {
  return toBinary(
    DiscoveryListingSchema,
    create(DiscoveryListingSchema, {
      version: header.version,
      items: entries.map((entry) => entry.itemBytes ?? EMPTY),
      creation: BigInt(header.creation),
      expiration: BigInt(header.expiration),
    }),
  );
}

/** Bytewise order: negative, 0 or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Whether two byte strings are equal. For public bytes: the time it takes tells where they differ. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && compareBytes(a, b) === 0);
}
