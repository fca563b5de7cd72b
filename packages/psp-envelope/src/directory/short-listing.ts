/*
 * The short listing: what a deployed client gets when the full listing is more than one of its messages can hold.
 *
 * Signatures are over exact bytes, so nobody can shorten a signed listing. Instead every voter derives the short listing
 * from the full one by the rules below and signs it beside the full one. It is a function of the full listing's bytes:
 * who signs at most one full listing a round signs at most one short one, and whoever has the full directory can make the
 * short one again. docs/adr/0013-large-directories.md argues for the choice.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { DiscoveryListingSchema, type DiscoveryListing } from '@discovery-raft/protocol';
import { EnvelopeError } from '../errors.js';
import { runSteps, type Steps } from '../steps.js';
import { listedItemBytes, listingHeadBytes, listingHeadOf, ListingWriter, type ListingHead } from './listing-writer.js';
import { rankSteps } from './place-ranks.js';
import { RankedPlaces } from './ranked-places.js';
import { subNamespaceOfItem, SubNamespaces } from './sub-namespace.js';

/**
 * Most bytes of a listing that goes to deployed clients: their 2 MiB, less 128 KiB for the signatures (31 nodes with
 * certificates of 4 KiB). The same on every node of a network.
 */
export const SHORT_LISTING_BYTES = 2_097_152 - 131_072;

/** SHA-256 of `bytes`, 32 bytes; synchronous and pure. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** A listing that was chosen from a larger one. */
export interface ShortListing {
  /** `DiscoveryListing` bytes; what members sign. */
  readonly bytes: Uint8Array;
  /** SHA-256 of `bytes`. */
  readonly digest: Uint8Array;
  /** Number of items. */
  readonly items: number;
}

/** What {@link shortListingOf} takes. */
export interface ShortListingOptions {
  /** Most bytes of the short listing. Default {@link SHORT_LISTING_BYTES}. */
  readonly maxBytes?: number;
  readonly sha256: Sha256;
}

/** A full listing of which the places of its items are known. */
export interface FullListing {
  /** Without `fullItems` and `fullDigest`. */
  readonly head: ListingHead;
  /** SHA-256 of its bytes. */
  readonly digest: Uint8Array;
  /** Bytes of each item, in their order. */
  readonly lengths: Uint32Array;
  /** The bytes of an item; asked of those that are chosen. */
  readonly itemAt: (at: number) => Uint8Array;
  /** Sub-namespaces of identities, see `subNamespaceOf`: each once, in any order; some may be of no item. */
  readonly subNamespaces: readonly string[];
  /** For each item, where the sub-namespace of its identity stands in `subNamespaces`. */
  readonly kinds: Uint32Array;
}

/** Items that are looked at between two places where the work may be interrupted. */
const ITEMS_PER_STEP = 4096;

/**
 * Derives the short listing from the bytes of a full one. Pure: the same bytes and limit give the same result anywhere.
 *
 * @returns undefined when the full listing is not over the limit, and so is for everybody
 * @throws EnvelopeError ENVELOPE_MALFORMED when the bytes are no listing
 */
export function shortListingOf(full: Uint8Array, options: ShortListingOptions): ShortListing | undefined {
  return runSteps(shortListingStepsOf(full, options));
}

/** {@link shortListingOf} in steps. The bytes must stay as they are until it is done. */
export function* shortListingStepsOf(bytes: Uint8Array, options: ShortListingOptions): Steps<ShortListing | undefined> {
  if (bytes.length <= (options.maxBytes ?? SHORT_LISTING_BYTES)) return undefined;
  const listing = readListing(bytes);
  yield;
  const { items } = listing;
  const digest = options.sha256(bytes);
  yield;
  const lengths = Uint32Array.from(items, ({ length }) => length);
  const itemAt = (at: number): Uint8Array => items[at]!;
  const kinds = new Uint32Array(items.length);
  const names = new SubNamespaces();
  for (let at = 0; at < items.length; at++) {
    kinds[at] = names.numberOf(subNamespaceOfItem(items[at]!));
    if (at % ITEMS_PER_STEP === ITEMS_PER_STEP - 1) yield;
  }
  const full: FullListing = {
    head: listingHeadOf(listing),
    digest,
    lengths,
    itemAt,
    subNamespaces: names.all,
    kinds,
  };
  return yield* shortListingSteps(full, options);
}

/** The short listing of a full one that is over the limit, in steps. */
export function* shortListingSteps(full: FullListing, options: ShortListingOptions): Steps<ShortListing> {
  const { maxBytes = SHORT_LISTING_BYTES, sha256 } = options;
  const { digest, lengths } = full;
  const head: ListingHead = { ...full.head, fullItems: lengths.length, fullDigest: digest };
  const ranks = yield* rankSteps(lengths.length, digest, ITEMS_PER_STEP);
  const groups = yield* groupSteps(full, ranks);
  const chosen = yield* chooseSteps(lengths, groups, maxBytes - listingHeadBytes(head));
  yield;
  const writer = new ListingWriter(head, chosen.bytes);
  for (let at = 0; at < lengths.length; at++) if (chosen.flags[at] === 1) writer.item(full.itemAt(at));
  const bytes = writer.finish();
  return { bytes, digest: sha256(bytes), items: chosen.items };
}

function readListing(bytes: Uint8Array): DiscoveryListing {
  try {
    return fromBinary(DiscoveryListingSchema, bytes, { readUnknownFields: false });
  } catch (error) {
    throw new EnvelopeError('ENVELOPE_MALFORMED', 'the bytes are no listing', {}, error);
  }
}

/** The places of the full listing by sub-namespace, the groups in the order of their names. */
function* groupSteps({ lengths, subNamespaces, kinds }: FullListing, ranks: Uint32Array): Steps<RankedPlaces[]> {
  const sizes = new Uint32Array(subNamespaces.length);
  for (const kind of kinds) sizes[kind]!++;
  const members = Array.from(sizes, (size) => new Uint32Array(size));
  const filled = new Uint32Array(subNamespaces.length);
  for (let at = 0; at < kinds.length; at++) {
    if (at > 0 && at % ITEMS_PER_STEP === 0) yield;
    const kind = kinds[at]!;
    members[kind]![filled[kind]!++] = at;
  }
  // In the order of the names, so that it does not hang on which group occurs first.
  const order = subNamespaces.map((name, kind) => ({ name, kind })).sort((a, b) => (a.name < b.name ? -1 : 1));
  const groups: RankedPlaces[] = [];
  for (const { kind } of order) {
    yield;
    groups.push(new RankedPlaces(members[kind]!, ranks, lengths.length));
  }
  return groups;
}

interface Choice {
  /** By place in the full listing: 1 for what is chosen. */
  readonly flags: Uint8Array;
  readonly items: number;
  /** What the chosen items take in a listing. */
  readonly bytes: number;
}

/**
 * One of each group in turn, until the room is used up: a small group (the authorities, the discovery nodes) is listed
 * whole, and a flood of one kind crowds out only its own.
 */
function* chooseSteps(lengths: Uint32Array, groups: readonly RankedPlaces[], room: number): Steps<Choice> {
  const flags = new Uint8Array(lengths.length);
  const most = groups.reduce((longest, group) => Math.max(longest, group.size), 0);
  const least = listedItemBytes(lengths.reduce((shortest, length) => Math.min(shortest, length), lengths[0] ?? 0));
  let left = room;
  let count = 0;
  let looked = 0;
  // What comes when nothing fits any more need not be looked at, nor be put in order.
  for (let turn = 0; turn < most && left >= least; turn++) {
    for (const group of groups) {
      const at = group.at(turn);
      if (at === undefined) continue;
      if (++looked % ITEMS_PER_STEP === 0) yield;
      const bytes = listedItemBytes(lengths[at]!);
      if (bytes > left) continue;
      left -= bytes;
      flags[at] = 1;
      count++;
    }
  }
  return { flags, items: count, bytes: room - left };
}
