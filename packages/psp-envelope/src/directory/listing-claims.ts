import { ProtoReader } from '../protobuf/proto-reader.js';

/** Tags of numbers in a `DiscoveryListing`. */
const TAG = { creation: 3 * 8, rootVersion: 10 * 8 } as const;

/** Tag of a listing's version. */
const FIRST_TAG = 1 * 8 + 2;

/**
 * Whether bytes begin as every encoder of listings writes them: with the version. No signed message begins with that byte, so
 * a packet that nodes have attested is never taken for a listing that they have voted for, whatever else can be read in it.
 */
export function beginsAsListing(bytes: Uint8Array): boolean {
  return bytes[0] === FIRST_TAG;
}

/** What a listing says of itself that decides who has to judge it. */
export interface ListingClaims {
  /** Unix seconds; undefined when the listing does not say. */
  readonly creation: number | undefined;
  /** Version of the trust root whose nodes decided; 1 when the listing does not say. */
  readonly rootVersion: number;
}

/**
 * Reads what decides about the judge of an encoded `DiscoveryListing`, without making an object of any item: the bytes are not
 * believed yet, and worth no more work than this. Bytes that are no listing claim nothing.
 */
export function listingClaims(bytes: Uint8Array): ListingClaims {
  let creation: number | undefined;
  let rootVersion = 0;
  try {
    const reader = new ProtoReader(bytes);
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === TAG.creation) creation = reader.varint();
      else if (tag === TAG.rootVersion) rootVersion = reader.varint();
      else reader.skip(tag);
    }
  } catch {
    return { creation: undefined, rootVersion: 1 };
  }
  return { creation, rootVersion: Math.max(1, rootVersion) };
}
