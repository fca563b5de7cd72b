import { create } from '@bufbuild/protobuf';
import { DiscoverySignatureSchema } from '@discovery-raft/protocol';
import type { ListSchema, NewAttestation } from '@discovery-raft/raft-log-list';

/** Bytes of an item's packet, about those of a signed discovery item. */
export const packetBytes = 1200;

/** A packet of these benchmarks: identity 8 digits, expiration 8 digits, and filling. */
export const schema: ListSchema = {
  describe(packet) {
    const text = Buffer.from(packet.buffer, packet.byteOffset, 16).toString('latin1');
    return { identity: text.slice(0, 8), expiration: Number(text.slice(8)) };
  },
  attester: (certificate) => Buffer.from(certificate).toString('latin1'),
};

/** The word of one of the nodes for an item. */
export function attestationBy(node: number): NewAttestation {
  return {
    signature: create(DiscoverySignatureSchema, {
      certificate: Buffer.from(`node${node}`.padEnd(170, '.')),
      signature: new Uint8Array(64),
    }),
    expiration: 99_999_999,
  };
}

/** The one attestation that makes an item complete here. */
export const attestation: NewAttestation = attestationBy(0);

/** The packet of an item; one with a higher expiration is newer. */
export function packetOf(item: number, expiration: number, bytes = packetBytes): Uint8Array {
  const packet = new Uint8Array(bytes);
  packet.set(Buffer.from(String(item).padStart(8, '0') + String(expiration).padStart(8, '0'), 'latin1'));
  return packet;
}
