import {
  runSteps,
  SHORT_LISTING_BYTES,
  shortListingSteps,
  type ShortListing,
  type Steps,
} from '@discovery-raft/psp-envelope';
import type { Sha256 } from '../ports.js';
import type { JudgedEntry } from './judgement.js';
import { entryValid } from './judgement.js';
import { listingSteps, type WrittenListing } from './listing-bytes.js';
import type { Policy } from './thresholds.js';

/** What a listing is built for. Times are Unix seconds. */
export interface ListingHeader {
  readonly version: string;
  readonly creation: number;
  readonly expiration: number;
  /** Version of the trust root whose nodes decide; 0, or left out, for the first. */
  readonly rootVersion?: number;
}

/** One item of a listing. */
export interface ListedItem {
  readonly identity: string;
  /** Unix seconds. */
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
  /** Whose items are listed, in order. */
  readonly listed: readonly ListedItem[];
  /** Identities with an unexpired record. */
  readonly entries: number;
  /** Of those, how many have a valid entry. */
  readonly validEntries: number;
  /** What follows from `bytes` for deployed clients; undefined when they can take `bytes`. */
  readonly short: ShortListing | undefined;
  /** For the next one, which is then written in less time. */
  readonly written: WrittenListing;
}

/** What {@link buildListingSteps} builds from. */
export interface ListingInput {
  /** The frozen list, judged at `header.creation`. */
  readonly entries: readonly JudgedEntry[];
  readonly header: ListingHeader;
  readonly policy: Policy;
  /** Countable attestations that make an entry valid. */
  readonly attestationsNeeded: number;
  readonly sha256: Sha256;
  /** Over this, a short listing is made too. Default: that of psp-envelope. */
  readonly shortListingBytes?: number;
  /** Entries that are looked at between two places where the work may be interrupted, from 1. Default 2,048. */
  readonly entriesPerStep?: number;
  /** Any listing that was built before; the result is the same without. */
  readonly previous?: WrittenListing | undefined;
}

const ENTRIES_PER_STEP = 2048;

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
  const input = { entries: [...entries], header, policy, attestationsNeeded, sha256, shortListingBytes };
  return runSteps(buildListingSteps(input));
}

/** {@link buildListing} in steps; what they give does not hang on where they are interrupted. */
export function* buildListingSteps(input: ListingInput): Steps<BuiltListing> {
  const { header, sha256, shortListingBytes = SHORT_LISTING_BYTES, entriesPerStep = ENTRIES_PER_STEP } = input;
  const entries = yield* inIdentityOrder(input.entries, entriesPerStep);
  const { listed, present, valid } = yield* chooseEntries(entries, input, entriesPerStep);
  const written = yield* listingSteps(listed, header, input.previous, entriesPerStep);
  const { bytes, begins, lengths } = written;
  const digest = sha256(bytes);
  yield;
  const itemAt = (at: number): Uint8Array => bytes.subarray(begins[at], begins[at]! + lengths[at]!);
  const short =
    bytes.length <= shortListingBytes
      ? undefined
      : yield* shortListingSteps(
          { head: header, digest, lengths, itemAt, subNamespaces: written.subNamespaces, kinds: written.kinds },
          { maxBytes: shortListingBytes, sha256 },
        );
  return { bytes, digest, items: listed.length, listed, entries: present, validEntries: valid, short, written };
}

/** The entries, those of an identity next to each other. They come in order from a list; from elsewhere they are sorted. */
function* inIdentityOrder(entries: readonly JudgedEntry[], perStep: number): Steps<readonly JudgedEntry[]> {
  for (let i = 1; i < entries.length; i++) {
    // Identities are ASCII (anything else was refused as a packet), so comparing code units compares bytes.
    if (entries[i]!.identity < entries[i - 1]!.identity) {
      return entries.toSorted((a, b) => (a.identity < b.identity ? -1 : a.identity === b.identity ? 0 : 1));
    }
    if (i % perStep === 0) yield;
  }
  return entries;
}

/** What goes into a listing, and the counts beside it. */
interface Chosen {
  readonly listed: readonly JudgedEntry[];
  /** Identities with an unexpired record. */
  readonly present: number;
  /** Of those, how many have a valid entry. */
  readonly valid: number;
}

function* chooseEntries(entries: readonly JudgedEntry[], input: ListingInput, perStep: number): Steps<Chosen> {
  const { header, policy, attestationsNeeded } = input;
  const listed: JudgedEntry[] = [];
  let present = 0;
  let valid = 0;
  let at = 0;
  let looked = 0;
  while (at < entries.length) {
    const { identity } = entries[at]!;
    let isPresent = false;
    let isValid = false;
    let best: JudgedEntry | undefined;
    for (; at < entries.length && entries[at]!.identity === identity; at++) {
      const entry = entries[at]!;
      if (entry.expiration <= header.creation) continue;
      isPresent = true;
      const counts = entryValid(entry, header.creation, attestationsNeeded);
      isValid ||= counts;
      if (entry.itemLength === undefined || (policy.listed === 'validEntries' && !counts)) continue;
      if (best === undefined || isNewer(entry, best)) best = entry;
    }
    if (isPresent) present++;
    if (isValid) valid++;
    if (best !== undefined) listed.push(best);
    if (++looked % perStep === 0) yield;
  }
  return { listed, present, valid };
}

/** Total order of versions of one identity: expiration, then bytes, so that equal expirations cannot split voters. */
function isNewer(entry: JudgedEntry, held: JudgedEntry): boolean {
  if (entry.expiration !== held.expiration) return entry.expiration > held.expiration;
  return compareBytes(entry.itemBytes ?? EMPTY, held.itemBytes ?? EMPTY) > 0;
}

const EMPTY = new Uint8Array(0);

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
