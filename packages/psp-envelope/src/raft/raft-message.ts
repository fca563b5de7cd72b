import type { DiscoveryRaftPacket_raftMsgType } from '@discovery-raft/protocol';
import { requireAtMost } from '../errors.js';
import { DEFAULT_LIMITS, type EnvelopeLimits } from '../limits.js';
import { decodeAppendEntries, encodeAppendEntries } from './append-entries.js';
import { decodeInstallSnapshot, encodeInstallSnapshot } from './install-snapshot.js';
import type { EntriesCache } from './entries-cache.js';
import { messageKindOf, messageTypeOf, type RaftMessage, type RaftMessageKind } from './message-type.js';
import { decodePlainRpc, encodePlainRpc } from './plain-rpc.js';
import { decodeRpcFailure, encodeRpcFailure } from './rpc-failure.js';
import { validateRaftMessage } from './validate-rpc.js';

/** A message of raft.v1 and the kind that its carrier must name. */
export interface EncodedRaftMessage {
  readonly msgType: DiscoveryRaftPacket_raftMsgType;
  /** The protobuf message; the caller's own, also when a cache was used. */
  readonly packet: Uint8Array;
}

/**
 * Encodes an RPC, its response, or its failure as `raft.v1`.
 *
 * @param cache encodes a batch of entries once for all followers; keep one per node
 * @throws EnvelopeError ENVELOPE_INVALID_VALUE for a number that is no unsigned integer below 2^53
 */
export function encodeRaftMessage(message: RaftMessage, cache?: EntriesCache): EncodedRaftMessage {
  return { msgType: messageTypeOf(message.kind), packet: encodePayload(message, cache) };
}

/**
 * Decodes and validates what {@link encodeRaftMessage} makes. Unknown fields are skipped. The result shares no bytes with
 * `packet`.
 *
 * An entry's or configuration's optional parts that are empty come out as absent: proto3 does not tell the two apart.
 *
 * @throws EnvelopeError ENVELOPE_UNKNOWN_MESSAGE_TYPE, ENVELOPE_TOO_LARGE, ENVELOPE_TRUNCATED, ENVELOPE_MALFORMED,
 *   ENVELOPE_INVALID_VALUE
 */
export function decodeRaftMessage(
  msgType: number,
  packet: Uint8Array,
  limits: EnvelopeLimits = DEFAULT_LIMITS,
): RaftMessage {
  const kind = messageKindOf(msgType);
  requireAtMost('packet', packet.length, maxPayloadBytes(kind, limits));
  const message = decodePayload(kind, packet, limits);
  validateRaftMessage(message);
  return message;
}

/** The size that fits a kind (DISCOVERY.md, section 6): only entries and chunks of snapshots may be large. */
export function maxPayloadBytes(kind: RaftMessageKind, limits: EnvelopeLimits): number {
  return kind === 'appendEntries' || kind === 'installSnapshot'
    ? limits.maxMessageBytes
    : limits.maxControlPayloadBytes;
}

function encodePayload(message: RaftMessage, cache: EntriesCache | undefined): Uint8Array {
  switch (message.kind) {
    case 'appendEntries':
      return encodeAppendEntries(message, cache);
    case 'installSnapshot':
      return encodeInstallSnapshot(message);
    case 'rpcFailure':
      return encodeRpcFailure(message);
    default:
      return encodePlainRpc(message);
  }
}

function decodePayload(kind: RaftMessageKind, packet: Uint8Array, limits: EnvelopeLimits): RaftMessage {
  switch (kind) {
    case 'appendEntries':
      return decodeAppendEntries(packet, limits);
    case 'installSnapshot':
      return decodeInstallSnapshot(packet, limits);
    case 'rpcFailure':
      return decodeRpcFailure(packet, limits);
    default:
      return decodePlainRpc(kind, packet, limits);
  }
}
