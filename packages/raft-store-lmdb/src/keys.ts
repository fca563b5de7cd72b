import { crc32 } from 'node:zlib';
import type { LogIndex, Term } from '@discovery-raft/raft-core';
import { FormatError, readUint64, viewOf, writeUint64 } from './entry-format.js';

/*
 * Everything lies in one tree of the database, so that a commit touches the pages of one tree only; the first byte of a
 * key says what it is. A block's key names the index of its first entry and how many it has, so that with the keys alone a
 * gap in the log is seen without reading a block. The key of a block that has commands of one term and nothing else names that
 * term too, and has a checksum, since Raft relies on it before anybody reads the block:
 *
 *   u8 BLOCK, u64 first index, u32 entries [, u64 term, u32 CRC-32 of all that precedes]
 */

const RECORD = 1;
const BLOCK = 2;
const REDACTIONS = 3;
const BLOCK_KEY_BYTES = 13;
const CHECKED_BYTES = BLOCK_KEY_BYTES + 8;
const COMMANDS_KEY_BYTES = CHECKED_BYTES + 4;

/** Where the index of the log's first entry is kept. */
export const LOG_HEAD_KEY: Uint8Array = Uint8Array.of(RECORD, 1);
/** Where term and vote are kept. */
export const HARD_STATE_KEY: Uint8Array = Uint8Array.of(RECORD, 2);
/** Written at each opening, so that all that lies in the operating system's memory reaches the disk before it is used. */
export const OPENED_KEY: Uint8Array = Uint8Array.of(RECORD, 3);

/** A range of keys; `end` is not part of it. */
export interface KeyRange {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
}

/** The keys of all blocks, in the order of their indexes. */
export const BLOCK_KEYS: KeyRange = { start: Uint8Array.of(BLOCK), end: Uint8Array.of(BLOCK + 1) };
/** The keys of all redaction records, the oldest first. */
export const REDACTION_KEYS: KeyRange = { start: Uint8Array.of(REDACTIONS), end: Uint8Array.of(REDACTIONS + 1) };

/** What a block's key says. */
export interface BlockName {
  readonly firstIndex: LogIndex;
  readonly entries: number;
  /** Term of all its entries, which are commands all; 0 when that is not so, or not known. */
  readonly commandTerm: Term;
}

/** The key of a block. */
export function blockKey({ firstIndex, entries, commandTerm }: BlockName): Uint8Array {
  const key = new Uint8Array(commandTerm === 0 ? BLOCK_KEY_BYTES : COMMANDS_KEY_BYTES);
  const view = viewOf(key);
  key[0] = BLOCK;
  writeUint64(view, 1, firstIndex);
  view.setUint32(9, entries);
  if (commandTerm === 0) return key;
  writeUint64(view, BLOCK_KEY_BYTES, commandTerm);
  view.setUint32(CHECKED_BYTES, crc32(key.subarray(0, CHECKED_BYTES)));
  return key;
}

/** What a block's key says. @throws FormatError */
export function parseBlockKey(key: Uint8Array): BlockName {
  const view = viewOf(key);
  if (key.length !== BLOCK_KEY_BYTES && key.length !== COMMANDS_KEY_BYTES)
    throw new FormatError(`the key of a block has ${key.length} bytes`);
  const name = { firstIndex: readUint64(view, 1), entries: view.getUint32(9) };
  if (key.length === BLOCK_KEY_BYTES) return { ...name, commandTerm: 0 };
  if (view.getUint32(CHECKED_BYTES) !== crc32(key.subarray(0, CHECKED_BYTES)))
    throw new FormatError("the checksum of a block's key is wrong");
  return { ...name, commandTerm: readUint64(view, BLOCK_KEY_BYTES) };
}

/** The key of the redaction record of this number. */
export function redactionKey(sequence: number): Uint8Array {
  const key = new Uint8Array(9);
  key[0] = REDACTIONS;
  writeUint64(viewOf(key), 1, sequence);
  return key;
}

/** What a redaction record's key says. @throws FormatError */
export function parseRedactionKey(key: Uint8Array): number {
  return readUint64(viewOf(key), 1);
}
