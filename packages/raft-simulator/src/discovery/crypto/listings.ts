import { fromBinary } from '@bufbuild/protobuf';
import { DiscoveryListingSchema, type DiscoveryListing } from '@discovery-raft/protocol';
import { hex, sha256 } from './keyring.js';
import { VERSION } from './packets.js';

/** A listing that somebody signed or serves. */
export interface ReadListing {
  /** SHA-256 in hexadecimal. */
  readonly digest: string;
  /** Unix seconds. */
  readonly creation: number;
  /** Unix seconds. */
  readonly expiration: number;
  /** The trust root that is said to decide it. */
  readonly rootVersion: number;
  /** Follows from a full one, for deployed clients. */
  readonly isShort: boolean;
  readonly items: readonly Uint8Array[];
}

/** Reads listings, each once: the same bytes come again and again. */
export class ListingReader {
  readonly #known = new WeakMap<Uint8Array, ReadListing | null>();

  /** Null when the bytes are no listing. */
  read(bytes: Uint8Array): ReadListing | null {
    let listing = this.#known.get(bytes);
    if (listing === undefined) {
      listing = decode(bytes);
      this.#known.set(bytes, listing);
    }
    return listing;
  }
}

function decode(bytes: Uint8Array): ReadListing | null {
  let listing: DiscoveryListing;
  try {
    listing = fromBinary(DiscoveryListingSchema, bytes);
  } catch {
    return null;
  }
  if (listing.version !== VERSION) return null;
  return {
    digest: hex(sha256(bytes)),
    creation: Number(listing.creation),
    expiration: Number(listing.expiration),
    rootVersion: Math.max(1, Number(listing.rootVersion)),
    isShort: listing.fullItems > 0n,
    items: listing.items,
  };
}
