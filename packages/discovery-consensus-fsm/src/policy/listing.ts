import {
  runSteps,
  SHORT_LISTING_BYTES,
  shortListingSteps,
  type Allocate,
  type ShortListing,
  type Steps,
} from '@discovery-raft/psp-envelope';
import type { Sha256 } from '../ports.js';
import { choiceSteps, type EntryColumns } from './entry-choice.js';
import type { JudgedEntry } from './judgement.js';
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
  /** For the next one, which is then built in less time. */
  readonly memory: ListingMemory;
}

/** What is kept of a listing for the next one, of which most is the same. */
export interface ListingMemory {
  readonly written: WrittenListing;
  readonly columns: EntryColumns;
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
  /** Of any listing that was built before; the result is the same without. */
  readonly previous?: ListingMemory | undefined;
  /** Memory for the listing's bytes. Default: a new `Uint8Array`. */
  readonly allocate?: Allocate | undefined;
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
  const { previous, attestationsNeeded, policy } = input;
  const rules = { creation: header.creation, attestationsNeeded, onlyValid: policy.listed === 'validEntries' };
  const choice = yield* choiceSteps(input.entries, rules, previous?.columns, entriesPerStep);
  const { listed, present, valid, columns } = choice;
  const written = yield* listingSteps(listed, header, previous?.written, entriesPerStep, input.allocate);
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
  const memory = { written, columns };
  return { bytes, digest, items: listed.length, listed, entries: present, validEntries: valid, short, memory };
}
