/*
 * The short listing: what a deployed client gets when the full listing is more than one of its messages can hold.
 *
 * Signatures are over exact bytes, so nobody can shorten a signed listing. Instead every voter derives the short listing
 * from the full one by the rules below and signs it beside the full one. It is a function of the full listing's bytes:
 * who signs at most one full listing a round signs at most one short one, and whoever has the full directory can make the
 * short one again. docs/adr/0013-large-directories.md argues for the choice.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { DiscoveryListingSchema, type DiscoveryListing } from '@discovery-raft/protocol';
import { EnvelopeError } from '../errors.js';
import { ProtoReader } from '../protobuf/proto-reader.js';

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

/** Field 2 of a `DiscoveryItem`, a string. */
const IDENTITY_TAG = (2 << 3) | 2;
const DOT = 0x2e;

interface Candidate {
  /** Where it stands in the full listing. */
  readonly at: number;
  readonly rank: Uint8Array;
}

/**
 * Derives the short listing from the bytes of a full one. Pure: the same bytes and limit give the same result anywhere.
 *
 * @returns undefined when the full listing is not over the limit, and so is for everybody
 * @throws EnvelopeError ENVELOPE_MALFORMED when the bytes are no listing
 */
export function shortListingOf(full: Uint8Array, options: ShortListingOptions): ShortListing | undefined {
  const { maxBytes = SHORT_LISTING_BYTES, sha256 } = options;
  if (full.length <= maxBytes) return undefined;
  const listing = readListing(full);
  const fullDigest = sha256(full);
  const header = {
    version: listing.version,
    creation: listing.creation,
    expiration: listing.expiration,
    fullItems: BigInt(listing.items.length),
    fullDigest,
  };
  const room = maxBytes - toBinary(DiscoveryListingSchema, create(DiscoveryListingSchema, header)).length;
  const chosen = choose(listing.items, rank(listing.items, fullDigest, sha256), room);
  const items = listing.items.filter((_, at) => chosen.has(at));
  const bytes = toBinary(DiscoveryListingSchema, create(DiscoveryListingSchema, { ...header, items }));
  return { bytes, digest: sha256(bytes), items: items.length };
}

function readListing(bytes: Uint8Array): DiscoveryListing {
  try {
    return fromBinary(DiscoveryListingSchema, bytes, { readUnknownFields: false });
  } catch (error) {
    throw new EnvelopeError('ENVELOPE_MALFORMED', 'the bytes are no listing', {}, error);
  }
}

/**
 * The candidates by sub-namespace, each group in the order of SHA-256(digest of the full listing, item bytes). The digest
 * is not known before the round, so nobody can make an item that comes first, and each round has another order.
 */
function rank(items: readonly Uint8Array[], seed: Uint8Array, sha256: Sha256): Candidate[][] {
  const groups = new Map<string, Candidate[]>();
  items.forEach((item, at) => {
    const seeded = new Uint8Array(seed.length + item.length);
    seeded.set(seed);
    seeded.set(item, seed.length);
    const candidate = { at, rank: sha256(seeded) };
    const name = groupOf(item);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [candidate]);
    else group.push(candidate);
  });
  // In the order of the names, so that it does not hang on which group occurs first.
  const inOrder = [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
  for (const group of inOrder) group.sort((a, b) => compare(a.rank, b.rank) || a.at - b.at);
  return inOrder;
}

/**
 * The sub-namespace of an item's identity, read without making an item of it. An item that is none is of no group: a
 * quorum signed it as it is, and whoever reads the listing judges it.
 */
function groupOf(item: Uint8Array): string {
  let identity: Uint8Array | undefined;
  try {
    const reader = new ProtoReader(item);
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === IDENTITY_TAG) identity = reader.bytes();
      else reader.skip(tag);
    }
  } catch {
    return '';
  }
  if (identity === undefined) return '';
  const from = identity.indexOf(DOT) + 1;
  const to = identity.indexOf(DOT, from);
  return from === 0 || to === -1 ? '' : String.fromCharCode(...identity.subarray(from, Math.min(to, from + 255)));
}

/**
 * One of each group in turn, until the room is used up: a small group (the authorities, the discovery nodes) is listed
 * whole, and a flood of one kind crowds out only its own.
 */
function choose(items: readonly Uint8Array[], groups: readonly Candidate[][], room: number): ReadonlySet<number> {
  const chosen = new Set<number>();
  const most = groups.reduce((longest, group) => Math.max(longest, group.length), 0);
  let left = room;
  for (let turn = 0; turn < most; turn++) {
    for (const group of groups) {
      const candidate = group[turn];
      if (candidate === undefined) continue;
      const bytes = fieldBytes(items[candidate.at]!.length);
      if (bytes > left) continue;
      left -= bytes;
      chosen.add(candidate.at);
    }
  }
  return chosen;
}

/** Bytes of an item inside a listing: tag, length, content. */
function fieldBytes(length: number): number {
  let varint = 1;
  for (let rest = length; rest > 127; rest = Math.floor(rest / 128)) varint++;
  return 1 + varint + length;
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
