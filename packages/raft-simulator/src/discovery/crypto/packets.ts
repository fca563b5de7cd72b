import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { DiscoveryItemSchema, type DiscoveryItem, type DiscoverySignature } from '@discovery-raft/protocol';
import type { ListSchema } from '@discovery-raft/raft-log-list';
import type { Key } from './keyring.js';

export const VERSION = 'xpx-discovery-1.0';

/** First byte of a packet, so that no listing can be taken for one. */
const MAGIC = 0xff;
const HEADER_BYTES = 5;
const SIGNATURE_BYTES = 64;

/** A publisher's packet, taken apart; nothing of it is verified. */
export interface PacketParts {
  readonly item: DiscoveryItem;
  readonly itemBytes: Uint8Array;
  readonly signature: DiscoverySignature;
}

/** The identity of a publisher (`onion`) or of a discovery node (`discovery`). */
export function identityOf(name: string, kind: 'onion' | 'discovery'): string {
  return `xpx.${kind}.node.${name}`;
}

/** The last part of an identity, for people. */
export function nameOf(identity: string): string {
  return identity.slice(identity.lastIndexOf('.') + 1);
}

/** An item as an honest publisher makes it. */
export function makeItem(identity: string, expiration: number, address: string): Uint8Array {
  return toBinary(
    DiscoveryItemSchema,
    create(DiscoveryItemSchema, {
      version: VERSION,
      identity,
      fingerprint: 'AB'.repeat(32),
      handshake: 'CD'.repeat(32),
      mode: 'onion',
      address: [address],
      expiration: BigInt(expiration),
    }),
  );
}

/** An item with its publisher's signature. */
export function makePacket(key: Key, itemBytes: Uint8Array): Uint8Array {
  return joinPacket(itemBytes, key.sign(itemBytes));
}

/** Puts a packet together, whatever the signature is worth. */
export function joinPacket(itemBytes: Uint8Array, { certificate, signature }: DiscoverySignature): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + itemBytes.length + certificate.length + signature.length);
  bytes[0] = MAGIC;
  const view = new DataView(bytes.buffer);
  view.setUint16(1, itemBytes.length);
  view.setUint16(3, certificate.length);
  bytes.set(itemBytes, HEADER_BYTES);
  bytes.set(certificate, HEADER_BYTES + itemBytes.length);
  bytes.set(signature, HEADER_BYTES + itemBytes.length + certificate.length);
  return bytes;
}

/** Takes a packet apart; undefined when it is none. */
export function splitPacket(packet: Uint8Array): PacketParts | undefined {
  if (packet.length < HEADER_BYTES + SIGNATURE_BYTES || packet[0] !== MAGIC) return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset);
  const itemEnd = HEADER_BYTES + view.getUint16(1);
  const certificateEnd = itemEnd + view.getUint16(3);
  if (certificateEnd + SIGNATURE_BYTES !== packet.length) return undefined;
  const itemBytes = packet.subarray(HEADER_BYTES, itemEnd);
  const item = readItem(itemBytes);
  if (item === undefined) return undefined;
  const signature = {
    $typeName: 'protocol.DiscoverySignature' as const,
    certificate: packet.subarray(itemEnd, certificateEnd),
    signature: packet.subarray(certificateEnd),
  };
  return { item, itemBytes, signature };
}

/** Decodes an item; undefined when the bytes are none. */
export function readItem(bytes: Uint8Array): DiscoveryItem | undefined {
  try {
    return fromBinary(DiscoveryItemSchema, bytes);
  } catch {
    return undefined;
  }
}

/** Names a packet: its signature differs from every other's. */
export function packetKey(packet: Uint8Array): string {
  return Buffer.from(packet.subarray(-16)).toString('hex');
}

/** How the shared list reads packets. Like the real one it believes what they claim. */
export const listSchema: ListSchema = {
  describe(packet) {
    const parts = splitPacket(packet);
    if (parts === undefined) return undefined;
    const expiration = Number(parts.item.expiration);
    return Number.isSafeInteger(expiration) ? { identity: parts.item.identity, expiration } : undefined;
  },
  attester: (certificate) => Buffer.from(certificate).toString('utf8').split('|', 1)[0],
};
