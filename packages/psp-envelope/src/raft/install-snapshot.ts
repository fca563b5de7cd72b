import { raftv1 } from '@discovery-raft/protocol';
import type {
  Configuration,
  InstallSnapshotRequest,
  RpcHeader,
  Server,
  Suffrage as CoreSuffrage,
} from '@discovery-raft/raft-core';
import { invalid, requireAtMost } from '../errors.js';
import type { EnvelopeLimits } from '../limits.js';
import { ProtoReader } from '../protobuf/proto-reader.js';
import { bytesFieldSize, intFieldSize, lengthFieldSize, ProtoWriter } from '../protobuf/proto-writer.js';
import { encodeText } from '../protobuf/text.js';
import { decodeHeader, encodeHeader, requireHeader, requireUint32 } from './rpc-header.js';

const TO_WIRE: Readonly<Record<CoreSuffrage, number>> = {
  voter: raftv1.Suffrage.VOTER,
  nonvoter: raftv1.Suffrage.NONVOTER,
  staging: raftv1.Suffrage.STAGING,
};

/** By the number on the wire; the first place, for "not set", stays empty. */
const FROM_WIRE: readonly (CoreSuffrage | undefined)[] = [undefined, 'voter', 'nonvoter', 'staging'];

/** `raft.v1.InstallSnapshotRequest`. */
export function encodeInstallSnapshot(request: InstallSnapshotRequest): Uint8Array {
  const header = encodeHeader(request.header);
  const configuration = encodeConfiguration(request.configuration);
  const ints = [
    request.version,
    request.term,
    request.lastLogIndex,
    request.lastLogTerm,
    request.configurationIndex,
    request.size,
    request.offset,
    request.crc,
    Number(request.done),
  ];
  let size = lengthFieldSize(header.length) + lengthFieldSize(configuration.length);
  size += bytesFieldSize(request.chunk.length);
  for (const value of ints) size += intFieldSize(value);
  const writer = new ProtoWriter(size);
  writer.message(1, header);
  writer.int(2, request.version);
  writer.int(3, request.term);
  writer.int(4, request.lastLogIndex);
  writer.int(5, request.lastLogTerm);
  writer.message(6, configuration);
  writer.int(7, request.configurationIndex);
  writer.int(8, request.size);
  writer.int(9, request.offset);
  writer.data(10, request.chunk);
  writer.int(11, request.crc);
  writer.bool(12, request.done);
  return writer.bytes;
}

export function decodeInstallSnapshot(bytes: Uint8Array, limits: EnvelopeLimits): InstallSnapshotRequest {
  const reader = new ProtoReader(bytes);
  // By field number; what is missing is proto3's default.
  const ints = new Map<number, number>();
  const int = (field: number): number => ints.get(field) ?? 0;
  let header: RpcHeader | undefined;
  let configuration: Configuration | undefined;
  let chunk: Uint8Array = new Uint8Array(0);
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) header = decodeHeader(reader.message(), limits);
    else if (tag === 0x32) configuration = decodeConfiguration(reader.message(), limits);
    else if (tag === 0x52) chunk = reader.ownBytes('chunk', limits.maxMessageBytes);
    else if ((tag & 7) === 0 && tag <= 12 << 3) ints.set(tag >>> 3, reader.varint());
    else reader.skip(tag);
  }
  return {
    kind: 'installSnapshot',
    header: requireHeader(header),
    version: requireUint32('version', int(2)),
    term: int(3),
    lastLogIndex: int(4),
    lastLogTerm: int(5),
    configuration: configuration ?? invalid('configuration', 'is missing'),
    configurationIndex: int(7),
    size: int(8),
    offset: int(9),
    chunk,
    crc: requireUint32('crc', int(11)),
    done: int(12) !== 0,
  };
}

function encodeConfiguration(configuration: Configuration): Uint8Array {
  const servers = configuration.servers.map(encodeServer);
  const outgoing = (configuration.outgoing ?? []).map(encodeServer);
  let size = 0;
  for (const server of [...servers, ...outgoing]) size += lengthFieldSize(server.length);
  const writer = new ProtoWriter(size);
  for (const server of servers) writer.message(1, server);
  for (const server of outgoing) writer.message(2, server);
  return writer.bytes;
}

function decodeConfiguration(reader: ProtoReader, limits: EnvelopeLimits): Configuration {
  const servers: Server[] = [];
  const outgoing: Server[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    if (tag !== 0x0a && tag !== 0x12) {
      reader.skip(tag);
      continue;
    }
    const list = tag === 0x0a ? servers : outgoing;
    requireAtMost('servers', list.length + 1, limits.maxServers);
    list.push(decodeServer(reader.message(), limits));
  }
  return outgoing.length === 0 ? { servers } : { servers, outgoing };
}

function encodeServer(server: Server): Uint8Array {
  const suffrage = TO_WIRE[server.suffrage];
  const id = encodeText(server.id);
  const address = encodeText(server.address);
  const writer = new ProtoWriter(intFieldSize(suffrage) + bytesFieldSize(id.length) + bytesFieldSize(address.length));
  writer.int(1, suffrage);
  writer.data(2, id);
  writer.data(3, address);
  return writer.bytes;
}

function decodeServer(reader: ProtoReader, limits: EnvelopeLimits): Server {
  let wireSuffrage = 0;
  let id = '';
  let address = '';
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x08) wireSuffrage = reader.varint();
    else if (tag === 0x12) id = reader.text('server.id', limits.maxIdentityBytes);
    else if (tag === 0x1a) address = reader.text('server.address', limits.maxAddressBytes);
    else reader.skip(tag);
  }
  const suffrage = FROM_WIRE[wireSuffrage] ?? invalid('server.suffrage', 'is not known', wireSuffrage);
  if (id === '') invalid('server.id', 'is missing');
  return { suffrage, id, address };
}
