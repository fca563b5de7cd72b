import { encodeEntry } from '../codec/entry-codec.js';
import type { StoredRecord } from '../record.js';
import { crc32, fnv1a } from './checksum.js';

/** Digest of records in order: each one's log index and its entry's canonical bytes, through two 32-bit hashes. */
export function digestRecords(records: Iterable<StoredRecord>): string {
  let crc = 0;
  let fnv: number | undefined;
  const index = new DataView(new ArrayBuffer(12));
  for (const record of records) {
    const entry = encodeEntry(record);
    index.setFloat64(0, record.index);
    index.setUint32(8, entry.length);
    const head = new Uint8Array(index.buffer);
    crc = crc32(entry, crc32(head, crc));
    fnv = fnv1a(entry, fnv1a(head, fnv));
  }
  return hex(crc) + hex(fnv ?? 0);
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
