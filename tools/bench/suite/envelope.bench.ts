import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { raftv1 } from '@discovery-raft/protocol';
import { sealRaftPacket, unwrapRaftPacket, encodeRaftMessage } from '@discovery-raft/psp-envelope';
import { EntryType, PROTOCOL_VERSION, type AppendEntriesRequest, type LogEntry } from '@discovery-raft/raft-core';
import type { Bench } from '../bench.js';
import { comparedRates } from '../rate.js';

const entries = 64;
const entryBytes = 256;

const request: AppendEntriesRequest = {
  kind: 'appendEntries',
  header: { protocolVersion: PROTOCOL_VERSION, id: 'a', address: 'a' },
  term: 7,
  prevLogIndex: 1000,
  prevLogTerm: 7,
  entries: Array.from({ length: entries }, (_, i): LogEntry => ({
    index: 1001 + i,
    term: 7,
    type: EntryType.command,
    data: new Uint8Array(entryBytes).fill(i),
  })),
  leaderCommitIndex: 1000,
  redactedThrough: 0,
};

/** The same message by protobuf-es alone, without the packet around it and without any check. */
const message = create(raftv1.AppendEntriesRequestSchema, {
  term: 7n,
  prevLogIndex: 1000n,
  prevLogTerm: 7n,
  entries: request.entries.map(({ index, data }) => ({
    index: BigInt(index),
    term: 7n,
    type: raftv1.EntryType.COMMAND,
    data,
  })),
  leaderCommitIndex: 1000n,
});

function wrap(): Uint8Array {
  const { msgType, packet: payload } = encodeRaftMessage(request);
  return sealRaftPacket({
    version: 'xpx-discovery-1.0',
    sourceId: 'a',
    destinationId: 'b',
    packetId: 1,
    msgType,
    payload,
  });
}

const name = `${entries}x${entryBytes}B`;

/** AppendEntries into packets per second. */
const encode: Bench = {
  name: `envelope/encode/${name}`,
  unit: 'op/s',
  run: async ({ effort }) => {
    const theirs = (): Uint8Array => toBinary(raftv1.AppendEntriesRequestSchema, message);
    const [value = NaN, baseline] = comparedRates([wrap, theirs], effort);
    return { value, baseline };
  },
};

/** Packets into checked AppendEntries per second. */
const decode: Bench = {
  name: `envelope/decode/${name}`,
  unit: 'op/s',
  run: async ({ effort }) => {
    const packet = wrap();
    const bytes = toBinary(raftv1.AppendEntriesRequestSchema, message);
    const ours = (): unknown => unwrapRaftPacket(packet);
    const theirs = (): unknown => fromBinary(raftv1.AppendEntriesRequestSchema, bytes);
    const { message: read } = unwrapRaftPacket(packet);
    if (read.kind !== 'appendEntries' || read.entries.length !== entries)
      throw new Error('The packet does not decode.');
    const [value = NaN, baseline] = comparedRates([ours, theirs], effort);
    return { value, baseline };
  },
};

export default [encode, decode];
