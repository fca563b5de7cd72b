import { invalid, requireAtMost } from '../errors.js';
import { DEFAULT_LIMITS, type EnvelopeLimits } from '../limits.js';
import { ProtoReader } from '../protobuf/proto-reader.js';
import { bytesFieldSize, intFieldSize, lengthFieldSize, ProtoWriter } from '../protobuf/proto-writer.js';
import { encodeText } from '../protobuf/text.js';
import type { EntriesCache } from './entries-cache.js';
import { directionOf, messageKindOf, type Direction, type RaftMessage, type RaftMessageKind } from './message-type.js';
import { decodeRaftMessage, encodeRaftMessage, maxPayloadBytes } from './raft-message.js';
import type { UnsignedRaftPacket } from './signed-content.js';

/** Certificate and signature as a `DiscoverySignature` carries them. */
export interface PacketSignature {
  /** Flat certificate of the signer. */
  readonly certificate: Uint8Array;
  /** Ed25519, 64 bytes, over what `signedContentOf` gives; nothing here verifies it. */
  readonly signature: Uint8Array;
}

/** The fields of a `DiscoveryRaftPacket`, the payload still encoded. */
export interface RaftPacketFields {
  /** Version of the discovery protocol; the network profile's, e.g. `xpx-discovery-1.0`. */
  readonly version: string;
  /** Identity of the sender. */
  readonly sourceId: string;
  /** Identity of the receiver. */
  readonly destinationId: string;
  /** One of the `raftMsgType`s. */
  readonly msgType: number;
  /** Pairs a response with its request; an unsigned integer below 2^53. */
  readonly packetId: number;
  /** The message of raft.v1. */
  readonly payload: Uint8Array;
  /** Extension; a peer without it leaves it out. */
  readonly signature?: PacketSignature;
}

/**
 * A packet that was read but whose payload was not: what the checks before decoding need (DISCOVERY.md, section 6).
 */
export class RaftPacket implements RaftPacketFields {
  readonly version: string;
  readonly sourceId: string;
  readonly destinationId: string;
  readonly msgType: number;
  readonly packetId: number;
  /** A window of the bytes that were read. */
  readonly payload: Uint8Array;
  // Declared only, so that an unsigned packet has no such property at all.
  declare readonly signature?: PacketSignature;
  /** What `payload` is said to hold. */
  readonly kind: RaftMessageKind;

  /** @throws EnvelopeError ENVELOPE_UNKNOWN_MESSAGE_TYPE */
  constructor(fields: RaftPacketFields) {
    this.version = fields.version;
    this.sourceId = fields.sourceId;
    this.destinationId = fields.destinationId;
    this.msgType = fields.msgType;
    this.packetId = fields.packetId;
    this.payload = fields.payload;
    if (fields.signature !== undefined) this.signature = fields.signature;
    this.kind = messageKindOf(fields.msgType);
  }

  /** Whether it asks or answers. */
  get direction(): Direction {
    return directionOf(this.kind);
  }
}

/** What {@link unwrapRaftPacket} gives: the packet and its decoded message. */
export interface UnwrappedRaftPacket extends RaftPacketFields {
  readonly kind: RaftMessageKind;
  readonly direction: Direction;
  readonly message: RaftMessage;
}

/** What {@link wrapRaftPacket} takes. */
export interface WrapOptions extends Pick<RaftPacketFields, 'version' | 'sourceId' | 'destinationId' | 'packetId'> {
  readonly message: RaftMessage;
  /** Signs the packet, see {@link signedContentOf}; without it, it goes unsigned, as deployed peers send it. */
  readonly sign?: ((packet: UnsignedRaftPacket) => PacketSignature) | undefined;
  /** See {@link encodeRaftMessage}. */
  readonly cache?: EntriesCache;
}

/** Encodes a message and its envelope: the bytes of a `DiscoveryRaftPacket`. @throws EnvelopeError ENVELOPE_INVALID_VALUE */
export function wrapRaftPacket(options: WrapOptions): Uint8Array {
  const { version, sourceId, destinationId, packetId, message, sign, cache } = options;
  const { msgType, packet: payload } = encodeRaftMessage(message, cache);
  const fields = { version, sourceId, destinationId, packetId, msgType, payload };
  return sealRaftPacket(sign === undefined ? fields : { ...fields, signature: sign(fields) });
}

/**
 * Reads a packet and its message at once. A receiver of untrusted bytes calls {@link openRaftPacket}, judges the packet,
 * and decodes the payload after that.
 *
 * @throws EnvelopeError as {@link openRaftPacket} and {@link decodeRaftMessage}
 */
export function unwrapRaftPacket(bytes: Uint8Array, limits: EnvelopeLimits = DEFAULT_LIMITS): UnwrappedRaftPacket {
  const packet = openRaftPacket(bytes, limits);
  return Object.assign(packet, { message: decodeRaftMessage(packet.msgType, packet.payload, limits) });
}

/** Encodes a `DiscoveryRaftPacket` around a payload. @throws EnvelopeError ENVELOPE_INVALID_VALUE */
export function sealRaftPacket(fields: RaftPacketFields): Uint8Array {
  const version = encodeText(fields.version);
  const sourceId = encodeText(fields.sourceId);
  const destinationId = encodeText(fields.destinationId);
  const signature = fields.signature === undefined ? undefined : encodeSignature(fields.signature);
  const writer = new ProtoWriter(
    bytesFieldSize(version.length) +
      bytesFieldSize(sourceId.length) +
      bytesFieldSize(destinationId.length) +
      intFieldSize(fields.msgType) +
      intFieldSize(fields.packetId) +
      bytesFieldSize(fields.payload.length) +
      (signature === undefined ? 0 : lengthFieldSize(signature.length)),
  );
  writer.data(1, version);
  writer.data(3, sourceId);
  writer.data(4, destinationId);
  writer.int(5, fields.msgType);
  writer.int(6, fields.packetId);
  writer.data(7, fields.payload);
  if (signature !== undefined) writer.message(8, signature);
  return writer.bytes;
}

/**
 * Reads a `DiscoveryRaftPacket` and leaves its payload alone, but for its size, which must fit the kind.
 *
 * @param bytes kept alive by the result, whose payload is a window of them
 * @throws EnvelopeError ENVELOPE_TOO_LARGE, ENVELOPE_TRUNCATED, ENVELOPE_MALFORMED, ENVELOPE_INVALID_VALUE,
 *   ENVELOPE_UNKNOWN_MESSAGE_TYPE
 */
export function openRaftPacket(bytes: Uint8Array, limits: EnvelopeLimits = DEFAULT_LIMITS): RaftPacket {
  requireAtMost('DiscoveryRaftPacket', bytes.length, limits.maxMessageBytes);
  const reader = new ProtoReader(bytes);
  let version = '';
  let sourceId = '';
  let destinationId = '';
  let msgType = 0;
  let packetId = 0;
  let payload: Uint8Array = new Uint8Array(0);
  let signature: PacketSignature | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        version = reader.text('version', limits.maxVersionBytes);
        break;
      case 0x1a:
        sourceId = reader.text('sourceID', limits.maxIdentityBytes);
        break;
      case 0x22:
        destinationId = reader.text('desitnationID', limits.maxIdentityBytes);
        break;
      case 0x28:
        msgType = reader.varint();
        break;
      case 0x30:
        packetId = reader.varint();
        break;
      case 0x3a:
        payload = reader.bytes();
        break;
      case 0x42:
        signature = decodeSignature(reader.message(), limits);
        break;
      default:
        reader.skip(tag);
    }
  }
  if (sourceId === '') invalid('sourceID', 'is missing');
  if (destinationId === '') invalid('desitnationID', 'is missing');
  const fields = { version, sourceId, destinationId, msgType, packetId, payload };
  const packet = new RaftPacket(signature === undefined ? fields : { ...fields, signature });
  requireAtMost('packet', payload.length, maxPayloadBytes(packet.kind, limits));
  return packet;
}

function encodeSignature(value: PacketSignature): Uint8Array {
  const { certificate, signature } = value;
  const writer = new ProtoWriter(bytesFieldSize(certificate.length) + bytesFieldSize(signature.length));
  writer.data(1, certificate);
  writer.data(2, signature);
  return writer.bytes;
}

function decodeSignature(reader: ProtoReader, limits: EnvelopeLimits): PacketSignature {
  let certificate: Uint8Array = new Uint8Array(0);
  let signature: Uint8Array = new Uint8Array(0);
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) certificate = reader.ownBytes('signature.certificate', limits.maxSignatureBytes);
    else if (tag === 0x12) signature = reader.ownBytes('signature.signature', limits.maxSignatureBytes);
    else reader.skip(tag);
  }
  return { certificate, signature };
}
