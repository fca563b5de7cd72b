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
