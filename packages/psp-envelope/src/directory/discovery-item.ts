import type { DiscoveryItem } from '@discovery-raft/protocol';
import { EnvelopeError } from '../errors.js';
import { ProtoReader } from '../protobuf/proto-reader.js';
import { decodeStrictText } from '../protobuf/text.js';

/** Tags: field number times 8, plus the wire type. */
const TAG = {
  version: 10,
  identity: 18,
  fingerprint: 26,
  handshake: 34,
  mode: 42,
  address: 50,
  expiration: 56,
} as const;

const TEXT_TAGS: readonly number[] = [TAG.version, TAG.fingerprint, TAG.handshake, TAG.mode, TAG.address];

/**
 * Reads an item of a stranger; undefined for bytes that are none. Says nothing about what the item holds, and keeps nothing
 * of the bytes alive. By hand, since the generated code takes several times as long and an item is read several times on its
 * way into the list; tests hold it against the generated code. A field with another wire type than its own is unknown.
 *
 * @param bytes of a size that the caller has judged: an address takes two of them
 */
export function readDiscoveryItem(bytes: Uint8Array): DiscoveryItem | undefined {
  try {
    return decodeItem(new ProtoReader(bytes));
  } catch (error) {
    if (error instanceof EnvelopeError) return undefined;
    throw error;
  }
}

/** Whose an item is and until when it holds, see {@link readItemClaims}. */
export interface ItemClaims {
  readonly identity: string;
  /** Unix seconds. */
  readonly expiration: bigint;
}

/**
 * Two fields of an item, at a third of the cost of {@link readDiscoveryItem}; undefined for exactly the bytes for which that
 * is: the other fields are checked, and no text is made of them.
 *
 * @param expected an identity that the item probably names; then none is made of the bytes
 */
export function readItemClaims(bytes: Uint8Array, expected = ''): ItemClaims | undefined {
  try {
    return decodeClaims(new ProtoReader(bytes), expected);
  } catch (error) {
    if (error instanceof EnvelopeError) return undefined;
    throw error;
  }
}

function decodeClaims(reader: ProtoReader, expected: string): ItemClaims {
  let identity = '';
  let expiration = 0n;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === TAG.identity) identity = reader.strictText(expected);
    else if (tag === TAG.expiration) expiration = reader.uint64();
    else if (TEXT_TAGS.includes(tag)) reader.checkText();
    else reader.skip(tag);
  }
  return { identity, expiration };
}

function decodeItem(reader: ProtoReader): DiscoveryItem {
  let version = '';
  let identity = '';
  let fingerprint = '';
  let handshake = '';
  let mode = '';
  let expiration = 0n;
  const address: string[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === TAG.version) version = decodeStrictText(reader.bytes());
    else if (tag === TAG.identity) identity = decodeStrictText(reader.bytes());
    else if (tag === TAG.fingerprint) fingerprint = decodeStrictText(reader.bytes());
    else if (tag === TAG.handshake) handshake = decodeStrictText(reader.bytes());
    else if (tag === TAG.mode) mode = decodeStrictText(reader.bytes());
    else if (tag === TAG.address) address.push(decodeStrictText(reader.bytes()));
    else if (tag === TAG.expiration) expiration = reader.uint64();
    else reader.skip(tag);
  }
  const $typeName = 'protocol.DiscoveryItem';
  return { $typeName, version, identity, fingerprint, handshake, mode, address, expiration };
}
