import type {
  AppendEntriesResponse,
  InstallSnapshotResponse,
  ReadIndexRequest,
  ReadIndexResponse,
  RequestPreVoteRequest,
  RequestPreVoteResponse,
  RequestVoteRequest,
  RequestVoteResponse,
  RpcHeader,
  TimeoutNowRequest,
  TimeoutNowResponse,
} from '@discovery-raft/raft-core';
import type { EnvelopeLimits } from '../limits.js';
import { ProtoReader } from '../protobuf/proto-reader.js';
import { intFieldSize, lengthFieldSize, ProtoWriter } from '../protobuf/proto-writer.js';
import { decodeHeader, encodeHeader, requireHeader } from './rpc-header.js';

/** Messages that hold nothing but a header, integers and booleans: all but two. */
export type PlainRpc =
  | AppendEntriesResponse
  | RequestVoteRequest
  | RequestVoteResponse
  | RequestPreVoteRequest
  | RequestPreVoteResponse
  | InstallSnapshotResponse
  | TimeoutNowRequest
  | TimeoutNowResponse
  | ReadIndexRequest
  | ReadIndexResponse;

/** Number and type of each field after the header, in ascending order. */
type Layout<M extends PlainRpc> = {
  readonly [Name in Exclude<keyof M, 'kind' | 'header'>]: readonly [
    field: number,
    type: M[Name] extends boolean ? 'bool' : 'int',
  ];
};

type Layouts = { readonly [M in PlainRpc as M['kind']]: Layout<M> };

/** `raft.v1`, message by message. The compiler sees to it that no field is left out. */
const LAYOUTS: Layouts = {
  appendEntriesResponse: {
    term: [2, 'int'],
    lastLog: [3, 'int'],
    success: [4, 'bool'],
    noRetryBackoff: [5, 'bool'],
    matchIndex: [6, 'int'],
    conflictTerm: [7, 'int'],
    conflictIndex: [8, 'int'],
  },
  requestVote: {
    term: [2, 'int'],
    lastLogIndex: [3, 'int'],
    lastLogTerm: [4, 'int'],
    leadershipTransfer: [5, 'bool'],
  },
  requestVoteResponse: { term: [2, 'int'], granted: [3, 'bool'] },
  requestPreVote: { term: [2, 'int'], lastLogIndex: [3, 'int'], lastLogTerm: [4, 'int'] },
  requestPreVoteResponse: { term: [2, 'int'], granted: [3, 'bool'] },
  installSnapshotResponse: { term: [2, 'int'], success: [3, 'bool'], nextOffset: [4, 'int'] },
  timeoutNow: { term: [2, 'int'] },
  timeoutNowResponse: {},
  readIndex: { term: [2, 'int'] },
  readIndexResponse: { term: [2, 'int'], index: [3, 'int'] },
};

interface PlainField {
  readonly name: string;
  readonly field: number;
  readonly bool: boolean;
}

/** The layouts as lists, made once. */
const FIELDS = new Map<string, readonly PlainField[]>(
  Object.entries(LAYOUTS).map(([kind, layout]) => [
    kind,
    Object.entries(layout as Record<string, readonly [number, string]>).map(([name, [field, type]]) => ({
      name,
      field,
      bool: type === 'bool',
    })),
  ]),
);

function fieldsOf(kind: PlainRpc['kind']): readonly PlainField[] {
  return FIELDS.get(kind) ?? [];
}

/** A message as the record of its fields, which its layout says it is. */
type Values = Record<string, number | boolean>;

export function encodePlainRpc(message: PlainRpc): Uint8Array {
  const values = message as unknown as Values;
  const fields = fieldsOf(message.kind);
  const header = encodeHeader(message.header);
  let size = lengthFieldSize(header.length);
  for (const { name } of fields) size += intFieldSize(Number(values[name]));
  const writer = new ProtoWriter(size);
  writer.message(1, header);
  for (const { name, field } of fields) writer.int(field, Number(values[name]));
  return writer.bytes;
}

export function decodePlainRpc(kind: PlainRpc['kind'], bytes: Uint8Array, limits: EnvelopeLimits): PlainRpc {
  const reader = new ProtoReader(bytes);
  const fields = fieldsOf(kind);
  const values: Values = {};
  for (const { name, bool } of fields) values[name] = bool ? false : 0;
  let header: RpcHeader | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    const known = fields.find((each) => each.field << 3 === tag);
    if (tag === 0x0a) header = decodeHeader(reader.message(), limits);
    else if (known === undefined) reader.skip(tag);
    else values[known.name] = known.bool ? reader.varint() !== 0 : reader.varint();
  }
  return { kind, header: requireHeader(header), ...values } as unknown as PlainRpc;
}
