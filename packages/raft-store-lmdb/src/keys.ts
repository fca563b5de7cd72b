import type { LogIndex } from '@discovery-raft/raft-core';
import { readUint64, viewOf, writeUint64 } from './entry-format.js';

/*
 * Everything lies in one tree of the database, so that a commit touches the pages of one tree only; the first byte of a
 * key says what it is. A block's key names the index of its first entry and how many it has. Both stay when the block is
 * rewritten, and with them alone a gap in the log is seen without reading a block.
 */

const RECORD = 1;
const BLOCK = 2;
const REDACTIONS = 3;
const BLOCK_KEY_BYTES = 13;

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

/** The key of the block of `entries` entries that begins at `firstIndex`. */
export function blockKey(firstIndex: LogIndex, entries: number): Uint8Array {
  const key = new Uint8Array(BLOCK_KEY_BYTES);
  const view = viewOf(key);
  key[0] = BLOCK;
  writeUint64(view, 1, firstIndex);
  view.setUint32(9, entries);
  return key;
}

/** What a block's key says. @throws FormatError */
export function parseBlockKey(key: Uint8Array): { readonly firstIndex: LogIndex; readonly entries: number } {
  const view = viewOf(key);
  return { firstIndex: readUint64(view, 1), entries: view.getUint32(9) };
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
