import { hash } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import type { PacketVerdict, SignatureVerdict, Verifier } from '@discovery-raft/discovery-consensus-fsm';
import { DiscoveryItemSchema, DiscoverySignatureSchema, type DiscoverySignature } from '@discovery-raft/protocol';
import { readDiscoveryItem } from '@discovery-raft/psp-envelope';
import type { ListSchema } from '@discovery-raft/raft-log-list';

/*
 * Items with the bytes of real ones, in packets with the size of real ones, whose signatures are stand-ins: what these
 * benchmarks measure comes after the verification, and a hundred thousand real packets take a minute to make.
 */

/** Of a signed packet with a chain of three authorities. */
const PACKET_BYTES = 1100;
const CERTIFICATE_BYTES = 170;
const SIGNATURE_BYTES = 64;
const LENGTH_BYTES = 2;
const ALWAYS = { notBefore: 0, notAfter: Number.MAX_SAFE_INTEGER };

/** The packet of a relay, with an item that holds until `expiration`, Unix seconds. */
export function packetOf(relay: number, expiration: number): Uint8Array {
  const key = hash('sha256', `relay ${relay}`, 'hex').toUpperCase();
  const item = toBinary(
    DiscoveryItemSchema,
    create(DiscoveryItemSchema, {
      version: 'xpx-discovery-1.0',
      identity: `xpx.onion.node.${hash('sha256', key, 'base64url')}`,
      fingerprint: key,
      handshake: hash('sha256', `handshake ${relay}`, 'hex').toUpperCase(),
      mode: 'onion',
      address: ['192.0.2.1:9001'],
      expiration: BigInt(expiration),
    }),
  );
  const packet = Buffer.alloc(PACKET_BYTES);
  packet.writeUInt16BE(item.length);
  packet.set(item, LENGTH_BYTES);
  return packet;
}

function itemOf(packet: Uint8Array): Uint8Array {
  const length = packet[0]! * 256 + packet[1]!;
  return packet.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
}

/** The word of a member for a packet. */
export function attestationOf(attester: string, packet: Uint8Array): DiscoverySignature {
  const certificate = Buffer.alloc(CERTIFICATE_BYTES);
  certificate.write(attester, 'latin1');
  const signature = Buffer.alloc(SIGNATURE_BYTES);
  signature.set(hash('sha256', Buffer.concat([certificate, packet]), 'buffer'));
  return create(DiscoverySignatureSchema, { certificate, signature });
}

function attesterOf(certificate: Uint8Array): string {
  const end = certificate.indexOf(0);
  return Buffer.from(certificate.buffer, certificate.byteOffset, end < 0 ? certificate.length : end).toString('latin1');
}

/** How a list reads such packets. */
export const itemSchema: ListSchema = {
  describe(packet) {
    const item = readDiscoveryItem(itemOf(packet));
    return item === undefined ? undefined : { identity: item.identity, expiration: Number(item.expiration) };
  },
  attester: attesterOf,
};

/** Believes such packets and attestations, and leaves everything else, which is signatures over listings, to a real one. */
export class ItemVerifier implements Verifier {
  readonly #real: Verifier;

  constructor(real: Verifier) {
    this.#real = real;
  }

  async verifyPacket(packet: Uint8Array): Promise<PacketVerdict> {
    const itemBytes = itemOf(packet).slice();
    const item = readDiscoveryItem(itemBytes);
    if (item === undefined) return { ok: false, code: 'ITEM_MALFORMED' };
    return { ok: true, item, itemBytes, signer: item.identity, ...ALWAYS };
  }

  async verifySignature(
    signature: DiscoverySignature,
    content: Uint8Array,
    atSeconds: number,
  ): Promise<SignatureVerdict> {
    if (content.length !== PACKET_BYTES) return this.#real.verifySignature(signature, content, atSeconds);
    return { ok: true, identity: attesterOf(signature.certificate), ...ALWAYS };
  }
}
