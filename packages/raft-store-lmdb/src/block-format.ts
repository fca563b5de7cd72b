import { crc32 } from 'node:zlib';
import { EntryType, type LogEntry, type LogIndex } from '@discovery-raft/raft-core';
import {
  entryReader,
  FormatError,
  maxEncodedBytes,
  readUint64,
  skipEntry,
  viewOf,
  writeEntry,
  writeUint64,
  type EntryCursor,
  type ReadEntry,
} from './entry-format.js';

/*
 * A block is one value of the database, every number big-endian:
 *
 *   u32 magic, u32 CRC-32 of all that follows, u32 entries, u32 tombstones among them, u64 index of the first, entries
 *
 * A log block holds consecutive entries. A redaction record has the same form; its entries are tombstones from anywhere.
 */

/** Bytes before the first entry. */
export const BLOCK_HEAD_BYTES = 24;
/** Bytes that a standard tombstone takes in a block; for estimates. */
export const TOMBSTONE_BYTES = 50;

const MAGIC = 0x52424c31;

/** What a block says of itself. */
export interface BlockHead {
  readonly firstIndex: LogIndex;
  readonly entries: number;
  readonly tombstones: number;
}

/** Most bytes that a block of these entries may take. */
export function maxBlockBytes(entries: readonly LogEntry[]): number {
  let bytes = BLOCK_HEAD_BYTES;
  for (const entry of entries) bytes += maxEncodedBytes(entry);
  return bytes;
}

/**
 * Encodes the entries from `begin` up to, not including, `end`, of which there must be one, into the front of `target`.
 *
 * @returns a view of `target`, valid until that is written to again
 */
export function encodeBlock(target: Uint8Array, entries: readonly LogEntry[], begin: number, end: number): Uint8Array {
  const view = viewOf(target);
  const firstIndex = entries[begin]!.index;
  const cursor: EntryCursor = { offset: BLOCK_HEAD_BYTES, index: firstIndex, term: 0 };
  let tombstones = 0;
  for (let i = begin; i < end; i++) {
    const entry = entries[i]!;
    if (entry.type === EntryType.tombstone) tombstones++;
    writeEntry(target, view, cursor, entry);
  }
  return seal(target, view, cursor.offset, { firstIndex, entries: end - begin, tombstones });
}

/** Checks magic and checksum. @throws FormatError */
export function checkBlock(bytes: Uint8Array): BlockHead {
  if (bytes.length < BLOCK_HEAD_BYTES) throw new FormatError(`a block of ${bytes.length} bytes is none`);
  const view = viewOf(bytes);
  if (view.getUint32(0) !== MAGIC) throw new FormatError('a block does not begin as one');
  if (view.getUint32(4) !== crc32(bytes.subarray(8))) throw new FormatError('the checksum of a block is wrong');
  return { firstIndex: readUint64(view, 16), entries: view.getUint32(8), tombstones: view.getUint32(12) };
}

/**
 * Reads all entries of a block.
 *
 * @param head what {@link checkBlock} gave, if it was called before
 * @param read what is wanted of each entry
 * @throws FormatError
 */
export function decodeBlock(bytes: Uint8Array, head = checkBlock(bytes), read: ReadEntry = entryReader()): LogEntry[] {
  const view = viewOf(bytes);
  const cursor: EntryCursor = { offset: BLOCK_HEAD_BYTES, index: head.firstIndex, term: 0 };
  const entries: LogEntry[] = [];
  for (let i = 0; i < head.entries; i++) entries.push(read(bytes, view, cursor));
  if (cursor.offset !== bytes.length) throw new FormatError('a block goes on behind its last entry');
  return entries;
}

/**
 * Copies a log block, with some entries replaced by their tombstones and, perhaps, fewer entries. The bytes of what stays
 * are copied in runs, without looking into them.
 *
 * @param keep how many entries stay, from the first
 * @param tombstones by index; those of other indexes are ignored
 * @throws FormatError
 */
export function rewriteBlock(
  bytes: Uint8Array,
  keep: number,
  tombstones: ReadonlyMap<LogIndex, LogEntry>,
): { readonly bytes: Uint8Array; readonly head: BlockHead } {
  const { firstIndex, entries } = checkBlock(bytes);
  const view = viewOf(bytes);
  const read: EntryCursor = { offset: BLOCK_HEAD_BYTES, index: firstIndex, term: 0 };
  let capacity = bytes.length;
  for (const stone of tombstones.values()) capacity += maxEncodedBytes(stone);
  const target = new Uint8Array(capacity);
  const targetView = viewOf(target);
  let written = BLOCK_HEAD_BYTES;
  let runBegin = BLOCK_HEAD_BYTES;
  let stones = 0;
  for (let i = 0; i < Math.min(keep, entries); i++) {
    const { offset, term, index } = read;
    skipEntry(bytes, view, read);
    const stone = tombstones.get(index);
    if (stone !== undefined || bytes[offset] === EntryType.tombstone) stones++;
    if (stone === undefined) continue;
    if (stone.term !== read.term) throw new FormatError(`the tombstone of entry ${index} is of term ${stone.term}`);
    target.set(bytes.subarray(runBegin, offset), written);
    const write: EntryCursor = { offset: written + offset - runBegin, index, term };
    writeEntry(target, targetView, write, stone);
    written = write.offset;
    runBegin = read.offset;
  }
  target.set(bytes.subarray(runBegin, read.offset), written);
  written += read.offset - runBegin;
  const head: BlockHead = { firstIndex, entries: Math.min(keep, entries), tombstones: stones };
  return { bytes: seal(target, targetView, written, head), head };
}

function seal(target: Uint8Array, view: DataView, end: number, head: BlockHead): Uint8Array {
  view.setUint32(0, MAGIC);
  view.setUint32(8, head.entries);
  view.setUint32(12, head.tombstones);
  writeUint64(view, 16, head.firstIndex);
  view.setUint32(4, crc32(target.subarray(8, end)));
  return target.subarray(0, end);
}
