import { raftv1 } from '@discovery-raft/protocol';
import type { EntryType, LogEntry } from '@discovery-raft/raft-core';
import { invalid, requireAtMost } from '../errors.js';
import type { EnvelopeLimits } from '../limits.js';
import type { ProtoReader } from '../protobuf/proto-reader.js';
import { bytesFieldSize, intFieldSize, lengthFieldSize, ProtoWriter } from '../protobuf/proto-writer.js';
import { CoreEntryType } from './core-entry-type.js';

const WireEntryType = raftv1.EntryType;

const TO_WIRE: Readonly<Record<EntryType, number>> = {
  [CoreEntryType.command]: WireEntryType.COMMAND,
  [CoreEntryType.noop]: WireEntryType.NOOP,
  [CoreEntryType.barrier]: WireEntryType.BARRIER,
  [CoreEntryType.configuration]: WireEntryType.CONFIGURATION,
  [CoreEntryType.tombstone]: WireEntryType.TOMBSTONE,
};

/** By the number on the wire; the first place, for "not set", stays empty. */
const FROM_WIRE: readonly (EntryType | undefined)[] = [
  undefined,
  CoreEntryType.command,
  CoreEntryType.noop,
  CoreEntryType.barrier,
  CoreEntryType.configuration,
  CoreEntryType.tombstone,
];

const EMPTY = new Uint8Array(0);

/** Field number of `AppendEntriesRequest.entries`. */
const ENTRIES_FIELD = 5;

/** The repeated field `entries` of an AppendEntriesRequest, tags and all. */
export function encodeEntries(entries: readonly LogEntry[]): Uint8Array {
  const sizes: number[] = [];
  let total = 0;
  for (const entry of entries) {
    const size = encodedEntrySize(entry);
    sizes.push(size);
    total += lengthFieldSize(size);
  }
  const writer = new ProtoWriter(total);
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i]!;
    writer.open(ENTRIES_FIELD, sizes[i]!);
    writer.int(1, entry.index);
    writer.int(2, entry.term);
    writer.int(3, TO_WIRE[entry.type]);
    writer.data(4, entry.data);
    if (entry.extensions !== undefined) writer.data(5, entry.extensions);
    writer.int(6, wholeMs(entry));
  }
  return writer.bytes;
}

function encodedEntrySize(entry: LogEntry): number {
  return (
    intFieldSize(entry.index) +
    intFieldSize(entry.term) +
    intFieldSize(TO_WIRE[entry.type]) +
    bytesFieldSize(entry.data.length) +
    bytesFieldSize(entry.extensions?.length ?? 0) +
    intFieldSize(wholeMs(entry))
  );
}

/** A clock may count fractions, or be set before 1970; the wire does not. Nobody decides by it, so it stops no entry. */
function wholeMs(entry: LogEntry): number {
  const ms = Math.floor(entry.appendedAtMs ?? 0);
  return ms > 0 && Number.isSafeInteger(ms) ? ms : 0;
}

/** One `raft.v1.LogEntry`. Its bytes are copies, so that one entry in a store does not keep a whole packet alive. */
export function decodeEntry(reader: ProtoReader, limits: EnvelopeLimits): LogEntry {
  let index = 0;
  let term = 0;
  let wireType = 0;
  let data: Uint8Array = EMPTY;
  let extensions: Uint8Array = EMPTY;
  let appendedAtMs = 0;
  while (!reader.done) {
    const tag = reader.tag();
    switch (tag) {
      case 0x08:
        index = reader.varint();
        break;
      case 0x10:
        term = reader.varint();
        break;
      case 0x18:
        wireType = reader.varint();
        break;
      case 0x22:
        data = reader.ownBytes('entry.data', limits.maxEntryBytes);
        break;
      case 0x2a:
        extensions = reader.ownBytes('entry.extensions', limits.maxEntryBytes);
        break;
      case 0x30:
        appendedAtMs = reader.varint();
        break;
      default:
        reader.skip(tag);
    }
  }
  requireAtMost('entry', data.length + extensions.length, limits.maxEntryBytes);
  const type = FROM_WIRE[wireType] ?? invalid('entry.type', 'is not known', wireType);
  if (extensions.length === 0) {
    return appendedAtMs === 0 ? { index, term, type, data } : { index, term, type, data, appendedAtMs };
  }
  if (appendedAtMs === 0) return { index, term, type, data, extensions };
  return { index, term, type, data, extensions, appendedAtMs };
}
