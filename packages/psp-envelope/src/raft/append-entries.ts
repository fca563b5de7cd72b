import type { AppendEntriesRequest, LogEntry, RpcHeader } from '@discovery-raft/raft-core';
import { requireAtMost } from '../errors.js';
import type { EnvelopeLimits } from '../limits.js';
import { ProtoReader } from '../protobuf/proto-reader.js';
import { intFieldSize, lengthFieldSize, ProtoWriter } from '../protobuf/proto-writer.js';
import type { EntriesCache } from './entries-cache.js';
import { decodeEntry, encodeEntries } from './log-entries.js';
import { decodeHeader, encodeHeader, requireHeader } from './rpc-header.js';

/** `raft.v1.AppendEntriesRequest`, by hand: it is the hot path, and generic reflection over each entry is slow. */
export function encodeAppendEntries(request: AppendEntriesRequest, cache?: EntriesCache): Uint8Array {
  const header = encodeHeader(request.header);
  const entries = cache === undefined ? encodeEntries(request.entries) : cache.encode(request.entries);
  const writer = new ProtoWriter(
    lengthFieldSize(header.length) +
      intFieldSize(request.term) +
      intFieldSize(request.prevLogIndex) +
      intFieldSize(request.prevLogTerm) +
      entries.length +
      intFieldSize(request.leaderCommitIndex) +
      intFieldSize(request.redactedThrough),
  );
  writer.message(1, header);
  writer.int(2, request.term);
  writer.int(3, request.prevLogIndex);
  writer.int(4, request.prevLogTerm);
  writer.raw(entries);
  writer.int(6, request.leaderCommitIndex);
  writer.int(7, request.redactedThrough);
  return writer.bytes;
}

export function decodeAppendEntries(bytes: Uint8Array, limits: EnvelopeLimits): AppendEntriesRequest {
  const reader = new ProtoReader(bytes);
  const entries: LogEntry[] = [];
  let header: RpcHeader | undefined;
  let term = 0;
  let prevLogIndex = 0;
  let prevLogTerm = 0;
  let leaderCommitIndex = 0;
  let redactedThrough = 0;
  while (!reader.done) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        header = decodeHeader(reader.message(), limits);
        break;
      case 0x10:
        term = reader.varint();
        break;
      case 0x18:
        prevLogIndex = reader.varint();
        break;
      case 0x20:
        prevLogTerm = reader.varint();
        break;
      case 0x2a:
        requireAtMost('entries', entries.length + 1, limits.maxEntries);
        entries.push(decodeEntry(reader.message(), limits));
        break;
      case 0x30:
        leaderCommitIndex = reader.varint();
        break;
      case 0x38:
        redactedThrough = reader.varint();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    kind: 'appendEntries',
    header: requireHeader(header),
    term,
    prevLogIndex,
    prevLogTerm,
    entries,
    leaderCommitIndex,
    redactedThrough,
  };
}
