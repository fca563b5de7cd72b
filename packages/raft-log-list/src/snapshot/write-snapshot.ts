import type { LogIndex, MaybePromise } from '@discovery-raft/raft-core';
import type { Crc32 } from '../state/hashing.js';
import type { StateView } from '../state/list-view.js';
import {
  BLOCK_HEADER_BYTES,
  BLOCK_TARGET_BYTES,
  HEADER_BYTES,
  RECORD_HEADER_BYTES,
  SNAPSHOT_MAGIC,
  SNAPSHOT_VERSION,
} from './format.js';

/**
 * Writes a view as a snapshot, a block at a time; each block is written when the one before it was taken.
 *
 * @param write owns the bytes it is given
 */
export async function writeSnapshot(
  view: StateView,
  deadOnArrival: LogIndex,
  crc32: Crc32,
  write: (chunk: Uint8Array) => MaybePromise<void>,
): Promise<void> {
  let crc = 0;
  const writeBlock = (parts: readonly Uint8Array[], payloadBytes: number): MaybePromise<void> => {
    const block = new Uint8Array(BLOCK_HEADER_BYTES + payloadBytes);
    let position = BLOCK_HEADER_BYTES;
    for (const part of parts) {
      block.set(part, position);
      position += part.length;
    }
    crc = crc32(block.subarray(BLOCK_HEADER_BYTES), crc);
    const header = new DataView(block.buffer);
    header.setUint32(0, payloadBytes);
    header.setUint32(4, crc);
    return write(block);
  };

  await writeBlock([snapshotHeader(view, deadOnArrival)], HEADER_BYTES);
  let parts: Uint8Array[] = [];
  let payloadBytes = 0;
  for (const record of view.entries()) {
    const { entry } = record;
    const head = new Uint8Array(RECORD_HEADER_BYTES);
    const fields = new DataView(head.buffer);
    fields.setBigUint64(0, BigInt(record.index));
    fields.setUint32(8, entry.length);
    parts.push(head, entry);
    payloadBytes += head.length + entry.length;
    if (payloadBytes >= BLOCK_TARGET_BYTES) {
      await writeBlock(parts, payloadBytes);
      parts = [];
      payloadBytes = 0;
    }
  }
  if (payloadBytes > 0) await writeBlock(parts, payloadBytes);
  const digest = view.digest();
  await writeBlock([digest], digest.length);
  await writeBlock([], 0);
}

function snapshotHeader(view: StateView, deadOnArrival: LogIndex): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  header.set(SNAPSHOT_MAGIC);
  const fields = new DataView(header.buffer);
  fields.setBigUint64(8, BigInt(SNAPSHOT_VERSION));
  fields.setBigUint64(16, BigInt(view.index));
  fields.setBigUint64(24, BigInt(deadOnArrival));
  fields.setBigUint64(32, BigInt(view.size));
  header.set(view.chain, 40);
  return header;
}
