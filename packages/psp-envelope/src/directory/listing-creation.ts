import { ProtoReader } from '../protobuf/proto-reader.js';

/** Field 3 of a `DiscoveryListing`, a number. */
const CREATION_TAG = 3 * 8;

/**
 * The creation time of an encoded `DiscoveryListing`, Unix seconds, without making an object of any item: which trust root
 * has to judge the bytes must be known before they are believed, and worth no more work than this.
 *
 * @returns undefined when the bytes are no listing, or say nothing of it
 */
export function listingCreation(bytes: Uint8Array): number | undefined {
  let creation: number | undefined;
  try {
    const reader = new ProtoReader(bytes);
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === CREATION_TAG) creation = reader.varint();
      else reader.skip(tag);
    }
  } catch {
    return undefined;
  }
  return creation;
}
