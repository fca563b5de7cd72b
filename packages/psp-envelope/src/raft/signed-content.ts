import { requireAtMost } from '../errors.js';
import { encodeText } from '../protobuf/text.js';
import type { Sha256 } from '../directory/short-listing.js';
import type { RaftPacketFields } from './raft-packet.js';

/** So that no signature of anything else can pass for one of a Raft packet. */
const DOMAIN = encodeText('discovery-raft DiscoveryRaftPacket 1\0');
const DIGEST_BYTES = 32;

/** A Raft packet without its signature. */
export type UnsignedRaftPacket = Omit<RaftPacketFields, 'signature'>;

/**
 * What the signature of a Raft packet signs (DISCOVERY.md, section 6). Big-endian:
 * `domain · version length 2 · version · source length 2 · source · destination length 2 · destination · raftMsgType 4 ·
 * packetID 8 · SHA-256 of the payload 32`.
 *
 * The lengths make it unambiguous. The payload comes in as its digest: Ed25519 hashes what it signs twice, and takes it in
 * one piece only, so a chunk of a snapshot would be copied for it.
 *
 * @throws EnvelopeError ENVELOPE_TOO_LARGE for a text of 64 KiB
 */
export function signedContentOf(packet: UnsignedRaftPacket, sha256: Sha256): Uint8Array {
  const texts = [packet.version, packet.sourceId, packet.destinationId].map(encodeText);
  let size = DOMAIN.length + 4 + 8 + DIGEST_BYTES;
  for (const text of texts) {
    requireAtMost('text', text.length, 0xffff);
    size += 2 + text.length;
  }
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  bytes.set(DOMAIN);
  let at = DOMAIN.length;
  for (const text of texts) {
    view.setUint16(at, text.length);
    bytes.set(text, at + 2);
    at += 2 + text.length;
  }
  view.setUint32(at, packet.msgType);
  view.setBigUint64(at + 4, BigInt(packet.packetId));
  bytes.set(sha256(packet.payload), at + 12);
  return bytes;
}
