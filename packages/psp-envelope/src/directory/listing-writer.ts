import type { DiscoveryListing } from '@discovery-raft/protocol';
import { bytesFieldSize, intFieldSize, lengthFieldSize, ProtoWriter, type Allocate } from '../protobuf/proto-writer.js';
import { encodeText } from '../protobuf/text.js';

/** Field numbers of `DiscoveryListing`. */
const FIELD = {
  version: 1,
  items: 2,
  creation: 3,
  expiration: 4,
  fullItems: 5,
  fullDigest: 6,
  rootVersion: 10,
} as const;

/** All of a listing but its items. Times are Unix seconds. */
export interface ListingHead {
  readonly version: string;
  readonly creation: number;
  readonly expiration: number;
  /** Only in a short listing; see `DiscoveryListing`. */
  readonly fullItems?: number;
  /** Only in a short listing: SHA-256, 32 bytes. */
  readonly fullDigest?: Uint8Array;
  /** Version of the trust root whose nodes decide; 0, or left out, for the first. */
  readonly rootVersion?: number;
}

const NO_BYTES = new Uint8Array(0);

/** The head of a listing that was decoded. @throws EnvelopeError ENVELOPE_INVALID_VALUE for times from 2^53 when written */
export function listingHeadOf({ version, creation, expiration, rootVersion }: DiscoveryListing): ListingHead {
  const dates = { creation: Number(creation), expiration: Number(expiration) };
  return { version, ...dates, ...(rootVersion === 0n ? {} : { rootVersion: Number(rootVersion) }) };
}

/** Bytes that an item of so many bytes takes in a listing. */
export function listedItemBytes(length: number): number {
  return lengthFieldSize(length);
}

/** Bytes of a listing without its items. */
export function listingHeadBytes(head: ListingHead): number {
  const { version, creation, expiration, fullItems = 0, fullDigest = NO_BYTES, rootVersion = 0 } = head;
  return (
    bytesFieldSize(encodeText(version).length) +
    intFieldSize(creation) +
    intFieldSize(expiration) +
    intFieldSize(fullItems) +
    bytesFieldSize(fullDigest.length) +
    intFieldSize(rootVersion)
  );
}

/**
 * Writes a `DiscoveryListing` straight into a buffer of its final size, item by item, so that it can be left in between. The
 * bytes are those that protobuf's own encoders give.
 */
export class ListingWriter {
  readonly #writer: ProtoWriter;
  readonly #head: ListingHead;

  /**
   * @param itemBytes sum of {@link listedItemBytes} of all items that will come
   * @param allocate where the bytes are written; by default a new `Uint8Array`
   */
  constructor(head: ListingHead, itemBytes: number, allocate?: Allocate) {
    this.#head = head;
    this.#writer = new ProtoWriter(listingHeadBytes(head) + itemBytes, allocate);
    this.#writer.data(FIELD.version, encodeText(head.version));
  }

  /** Writes the next item. @returns where its bytes begin in the listing */
  item(bytes: Uint8Array): number {
    this.#writer.message(FIELD.items, bytes);
    return this.#writer.length - bytes.length;
  }

  /** Writes items that were cut out of another listing, in one piece. @returns where they begin in this one */
  items(fields: Uint8Array): number {
    this.#writer.raw(fields);
    return this.#writer.length - fields.length;
  }

  /** To be called once, when all items that were announced have come. @returns the listing's bytes, not copied */
  finish(): Uint8Array {
    const { creation, expiration, fullItems = 0, fullDigest = NO_BYTES, rootVersion = 0 } = this.#head;
    const writer = this.#writer;
    writer.int(FIELD.creation, creation);
    writer.int(FIELD.expiration, expiration);
    writer.int(FIELD.fullItems, fullItems);
    writer.data(FIELD.fullDigest, fullDigest);
    writer.int(FIELD.rootVersion, rootVersion);
    return writer.bytes;
  }
}
