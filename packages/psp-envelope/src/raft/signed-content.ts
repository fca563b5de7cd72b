import { requireAtMost } from '../errors.js';
import { encodeText } from '../protobuf/text.js';
import type { RaftPacketFields } from './raft-packet.js';

/** So that no signature of anything else can pass for one of a Raft packet. */
const DOMAIN = 'discovery-raft DiscoveryRaftPacket 1\0';

/**
 * What the signature of a Raft packet signs (DISCOVERY.md, section 6). Big-endian:
 * `domain · version length 2 · version · source length 2 · source · destination length 2 · destination · raftMsgType 4 ·
 * packetID 8 · payload`.
 *
 * The lengths make it unambiguous; the payload needs none, being last.
 *
 * @throws EnvelopeError ENVELOPE_TOO_LARGE for a text of 64 KiB
 */
export function signedContentOf(packet: Omit<RaftPacketFields, 'signature'>): Uint8Array {
  const domain = encodeText(DOMAIN);
  const texts = [packet.version, packet.sourceId, packet.destinationId].map(encodeText);
  let size = domain.length + 4 + 8 + packet.payload.length;
  for (const text of texts) {
    requireAtMost('text', text.length, 0xffff);
    size += 2 + text.length;
  }
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  bytes.set(domain);
  let at = domain.length;
  for (const text of texts) {
    view.setUint16(at, text.length);
    bytes.set(text, at + 2);
    at += 2 + text.length;
  }
  view.setUint32(at, packet.msgType);
  view.setBigUint64(at + 4, BigInt(packet.packetId));
  bytes.set(packet.payload, at + 12);
  return bytes;
}
