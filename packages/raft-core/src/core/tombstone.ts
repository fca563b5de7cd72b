import { EntryType, type LogEntry, type LogIndex } from './types.js';

/** Bytes of the superseding index in a tombstone's extensions. */
const INDEX_BYTES = 8;

/**
 * A tombstone says in its extensions which entry superseded what stood there, as 8 bytes, the highest first. So whoever
 * holds it knows how far to apply before its state may be shown, after a restart too.
 */
export function encodeSuperseding(index: LogIndex): Uint8Array {
  const bytes = new Uint8Array(INDEX_BYTES);
  let rest = index;
  for (let i = INDEX_BYTES - 1; i >= 0; i--) {
    bytes[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return bytes;
}

/** Index of the entry that superseded this tombstone's; undefined when it is no tombstone, or does not say. */
export function supersedingIndex(entry: LogEntry): LogIndex | undefined {
  if (entry.type !== EntryType.tombstone || entry.extensions?.length !== INDEX_BYTES) return undefined;
  let index = 0;
  for (const byte of entry.extensions) index = index * 256 + byte;
  return Number.isSafeInteger(index) ? index : undefined;
}
