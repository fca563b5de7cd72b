import { DiscoveryRaftPacket_raftMsgType as MsgType } from '@discovery-raft/protocol';
import type { RpcRequest, RpcResponse } from '@discovery-raft/raft-core';
import { EnvelopeError } from '../errors.js';
import type { RpcFailure } from './rpc-failure.js';

/** What a Raft packet can carry. */
export type RaftMessage = RpcRequest | RpcResponse | RpcFailure;

/** Names of the kinds of a {@link RaftMessage}. */
export type RaftMessageKind = RaftMessage['kind'];

/** Whether a message asks or answers. A failure is an answer. */
export type Direction = 'request' | 'response';

const TYPES: Readonly<Record<RaftMessageKind, MsgType>> = {
  appendEntries: MsgType.appendEntriesRequest,
  requestVote: MsgType.requestVoteRequest,
  installSnapshot: MsgType.installSnapshotRequest,
  appendEntriesResponse: MsgType.appendEntriesResponse,
  requestVoteResponse: MsgType.requestVoteResponse,
  installSnapshotResponse: MsgType.installSnapshotResponse,
  requestPreVote: MsgType.requestPreVoteRequest,
  timeoutNow: MsgType.timeoutNowRequest,
  requestPreVoteResponse: MsgType.requestPreVoteResponse,
  timeoutNowResponse: MsgType.timeoutNowResponse,
  readIndex: MsgType.readIndexRequest,
  readIndexResponse: MsgType.readIndexResponse,
  rpcFailure: MsgType.rpcFailure,
};

const KINDS: ReadonlyMap<number, RaftMessageKind> = new Map(
  (Object.keys(TYPES) as RaftMessageKind[]).map((kind) => [TYPES[kind], kind]),
);

/** The `raftMsgType` of a kind (WIRE.md, section 1). */
export function messageTypeOf(kind: RaftMessageKind): MsgType {
  return TYPES[kind];
}

/** The kind of a `raftMsgType`. @throws EnvelopeError ENVELOPE_UNKNOWN_MESSAGE_TYPE */
export function messageKindOf(msgType: number): RaftMessageKind {
  const kind = KINDS.get(msgType);
  if (kind === undefined) {
    throw new EnvelopeError('ENVELOPE_UNKNOWN_MESSAGE_TYPE', 'the raftMsgType is not known', { msgType });
  }
  return kind;
}

/** Whether messages of a kind ask or answer. */
export function directionOf(kind: RaftMessageKind): Direction {
  switch (kind) {
    case 'appendEntries':
    case 'requestVote':
    case 'requestPreVote':
    case 'installSnapshot':
    case 'timeoutNow':
    case 'readIndex':
      return 'request';
    default:
      return 'response';
  }
}

/** Tells a request from an answer. */
export function isRequest(message: RaftMessage): message is RpcRequest {
  return directionOf(message.kind) === 'request';
}
