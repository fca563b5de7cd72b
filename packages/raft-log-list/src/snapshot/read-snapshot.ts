import type { LogIndex, SnapshotBytes } from '@discovery-raft/raft-core';
import { decodeEntry } from '../codec/entry-codec.js';
import { ListError } from '../errors.js';
import type { ListLimits } from '../limits.js';
import { sameBytes } from '../record.js';
import { readRecord, type ListRules } from '../state/apply-entry.js';
import { StateDigest } from '../state/digest.js';
import { packHash } from '../state/hashing.js';
import { ListState } from '../state/list-state.js';
import type { ReadRecord } from '../state/live-record.js';
import { compareRecords } from '../state/record-order.js';
import { corrupt, readBlocks } from './block-reader.js';
import { BLOCK_TARGET_BYTES, HEADER_BYTES, RECORD_HEADER_BYTES, SNAPSHOT_MAGIC, SNAPSHOT_VERSION } from './format.js';

/** What a snapshot holds. */
export interface SnapshotContents {
  readonly state: ListState;
  readonly index: LogIndex;
  readonly deadOnArrival: LogIndex;
  /** Value of the `EntryChain`. */
  readonly chain: string;
}

/** The longest entry that the limits allow, with room for tags and lengths. */
function maxEntryBytes(limits: ListLimits): number {
  return limits.maxPacketBytes + limits.maxAttestations * (2 * limits.maxAttestationBytes + 64) + 128;
}

/**
 * Reads a snapshot into a new state.
 *
 * @throws ListError LIST_SNAPSHOT_CORRUPT, LIST_SNAPSHOT_VERSION; what `bytes` throws
 */
export async function readSnapshot(bytes: SnapshotBytes, rules: ListRules): Promise<SnapshotContents> {
  const state = new ListState();
  const digest = new StateDigest(rules.sha256);
  let header: Header | undefined;
  const indices = new Set<LogIndex>();
  let previous: ReadRecord | undefined;
  let isWhole = false;
  const maxPayloadBytes = BLOCK_TARGET_BYTES + RECORD_HEADER_BYTES + maxEntryBytes(rules.limits);
  for await (const payload of readBlocks(bytes, maxPayloadBytes, rules.crc32)) {
    if (isWhole) throw corrupt('something follows its digest');
    if (header === undefined) {
      header = readHeader(payload);
      continue;
    }
    if (state.size === header.size) {
      if (!sameBytes(payload, digest.finish(header.index, header.chain)))
        throw corrupt('its digest is of another state');
      isWhole = true;
      continue;
    }
    for (const read of readRecords(payload, rules)) {
      if (read.index > header.index || indices.has(read.index)) throw corrupt('an index is impossible');
      if (previous !== undefined && compareRecords(previous, read) >= 0) throw corrupt('records are out of order');
      if (state.size >= header.size) throw corrupt('it holds more records than it says');
      state.replace([], read);
      digest.add(read.index, read.hash);
      indices.add(read.index);
      previous = read;
    }
  }
  if (header === undefined) throw corrupt('it has no header');
  if (!isWhole) throw corrupt('it holds fewer records than it says');
  return { state, index: header.index, deadOnArrival: header.deadOnArrival, chain: header.chain };
}

interface Header {
  readonly index: LogIndex;
  readonly deadOnArrival: LogIndex;
  readonly size: number;
  readonly chain: string;
}

function readHeader(payload: Uint8Array): Header {
  if (payload.length < 16 || !sameBytes(payload.subarray(0, 8), SNAPSHOT_MAGIC)) throw corrupt('it is not of a list');
  const fields = fieldsOf(payload);
  const version = readInteger(fields, 8);
  if (version !== SNAPSHOT_VERSION) {
    throw new ListError('LIST_SNAPSHOT_VERSION', 'the snapshot is of another version', { version });
  }
  if (payload.length !== HEADER_BYTES) throw corrupt('its header has the wrong length');
  const header = {
    index: readInteger(fields, 16),
    deadOnArrival: readInteger(fields, 24),
    size: readInteger(fields, 32),
    chain: packHash(payload.subarray(40)),
  };
  if (header.deadOnArrival > header.index) throw corrupt('an index is impossible');
  return header;
}

function* readRecords(payload: Uint8Array, rules: ListRules): Generator<ReadRecord> {
  const fields = fieldsOf(payload);
  let position = 0;
  while (position < payload.length) {
    if (payload.length - position < RECORD_HEADER_BYTES) throw corrupt('a record is cut short');
    const index = readInteger(fields, position);
    const length = fields.getUint32(position + 8);
    position += RECORD_HEADER_BYTES;
    if (length > payload.length - position) throw corrupt('a record is cut short');
    const data = payload.subarray(position, position + length);
    const entry = decodeEntry(data, rules.limits);
    position += length;
    if (entry === undefined || entry.origin > index || entry.round !== 0) throw corrupt('a record is malformed');
    const record = readRecord(index, entry, data, rules.sha256(data), rules);
    if (record === undefined) throw corrupt('a record is none of this schema');
    yield record;
  }
}

function readInteger(fields: DataView, position: number): number {
  const value = fields.getUint32(position) * 2 ** 32 + fields.getUint32(position + 4);
  if (!Number.isSafeInteger(value)) throw corrupt('an integer is too large');
  return value;
}

function fieldsOf(payload: Uint8Array): DataView {
  return new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
}
