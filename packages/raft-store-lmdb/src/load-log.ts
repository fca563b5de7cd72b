import type { LogIndex } from '@discovery-raft/raft-core';
import { decodeBlock } from './block-format.js';
import type { BlockIndex } from './block-index.js';
import type { BlockReader } from './block-reader.js';
import { FormatError } from './entry-format.js';
import { BLOCK_KEYS, LOG_HEAD_KEY, parseBlockKey, parseRedactionKey, REDACTION_KEYS } from './keys.js';
import { decodeLogHead, type LogHead } from './record-format.js';
import type { Redactions } from './redactions.js';
import { StoreError, type StorePart } from './store-error.js';
import type { WriteGate } from './write-gate.js';

/** The end of the log that is read and checked at opening: this many bytes, or this many blocks. */
const CHECKED_TAIL_BYTES = 1 << 20;
const CHECKED_TAIL_BLOCKS = 64;

/**
 * Reads where the blocks lie, and the tombstones that wait; checks that no block is missing, and the newest blocks.
 *
 * @returns what the log's head says; null when the database is new
 * @throws StoreError `corrupt`, `io`
 */
export function loadLog(
  gate: WriteGate,
  index: BlockIndex,
  blocks: BlockReader,
  redactions: Redactions,
): LogHead | null {
  const corrupt = (message: string, part: StorePart, at?: LogIndex): StoreError =>
    new StoreError(message, { failure: 'corrupt', path: gate.path, part, ...(at === undefined ? {} : { index: at }) });
  gate.eachKey(BLOCK_KEYS, (key) => {
    const name = checked(
      () => parseBlockKey(key),
      (problem) => corrupt(`a block has no place in the log (${problem})`, 'log'),
    );
    const { firstIndex, entries } = name;
    const follows = entries > 0 && (index.size === 0 || firstIndex === index.nextIndex);
    if (!follows) throw corrupt(`the log has a gap: entry ${index.nextIndex} is missing`, 'log', index.nextIndex);
    index.push(name, 0, 0);
  });
  const head = checked(
    () => gate.read(LOG_HEAD_KEY, (bytes) => (bytes === undefined ? null : decodeLogHead(bytes))),
    (problem) => corrupt(`the log head is damaged (${problem})`, 'log'),
  );
  if (head === null) {
    if (index.size > 0) throw corrupt('the database has entries, but no log head', 'log');
    return null;
  }
  const { firstIndex } = head;
  if (index.size > 0) {
    const from = index.firstIndexOf(index.firstSlot);
    const wrong = firstIndex < from || firstIndex >= from + index.entriesOf(index.firstSlot);
    if (wrong) throw corrupt(`the log begins at ${firstIndex}, its blocks at ${from}`, 'log', firstIndex);
  }
  checkTail(index, blocks);
  loadRedactions(gate, index, firstIndex, redactions, corrupt);
  return head;
}

function checkTail(index: BlockIndex, blocks: BlockReader): void {
  let bytes = 0;
  const begin = Math.max(index.firstSlot, index.endSlot - CHECKED_TAIL_BLOCKS);
  for (let slot = index.endSlot - 1; slot >= begin && bytes < CHECKED_TAIL_BYTES; slot--) {
    blocks.measure(slot);
    bytes += index.bytesOf(slot);
  }
}

function loadRedactions(
  gate: WriteGate,
  index: BlockIndex,
  firstIndex: LogIndex,
  redactions: Redactions,
  corrupt: (message: string, part: StorePart) => StoreError,
): void {
  const blockOf = (i: LogIndex): LogIndex | undefined =>
    index.size === 0 || i < firstIndex || i >= index.nextIndex ? undefined : index.firstIndexOf(index.find(i));
  const keys: Uint8Array[] = [];
  gate.eachKey(REDACTION_KEYS, (key) => void keys.push(key));
  for (const key of keys) {
    const sequence = parseRedactionKey(key);
    const refuse = (problem: string): StoreError =>
      corrupt(`redaction record ${sequence} is damaged (${problem})`, 'redactions');
    const read = (value: Uint8Array | undefined): void => {
      if (value === undefined) throw refuse('it is not there');
      redactions.load(sequence, value.length, decodeBlock(value), blockOf);
    };
    checked(() => gate.read(key, read), refuse);
  }
}

function checked<T>(read: () => T, refuse: (problem: string) => StoreError): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof FormatError ? refuse(error.message) : error;
  }
}
