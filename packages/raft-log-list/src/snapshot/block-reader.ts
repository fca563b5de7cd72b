import type { SnapshotBytes } from '@discovery-raft/raft-core';
import { ListError } from '../errors.js';
import type { Crc32 } from '../state/hashing.js';
import { BLOCK_HEADER_BYTES } from './format.js';

/** The error for bytes that are no snapshot. */
export function corrupt(what: string): ListError {
  return new ListError('LIST_SNAPSHOT_CORRUPT', `the snapshot is damaged: ${what}`);
}

/**
 * Cuts a stream of bytes, however it is chunked, into the checked payloads of its blocks. Ends after the empty one. A payload
 * may be a window of a chunk of the stream.
 *
 * @param maxPayloadBytes a longer payload is refused before memory is taken for it
 * @throws ListError LIST_SNAPSHOT_CORRUPT
 */
export async function* readBlocks(
  bytes: SnapshotBytes,
  maxPayloadBytes: number,
  crc32: Crc32,
): AsyncGenerator<Uint8Array> {
  const chunks = bytes[Symbol.asyncIterator]();
  const input = new ByteQueue(chunks);
  let crc = 0;
  try {
    for (;;) {
      const header = await input.take(BLOCK_HEADER_BYTES);
      const fields = new DataView(header.buffer, header.byteOffset, header.length);
      const length = fields.getUint32(0);
      if (length > maxPayloadBytes) throw corrupt('a block is too long');
      const payload = await input.take(length);
      crc = crc32(payload, crc);
      if (crc !== fields.getUint32(4)) throw corrupt('a checksum does not match');
      if (length === 0) break;
      yield payload;
    }
    if (!(await input.ended())) throw corrupt('bytes follow its end');
  } finally {
    await chunks.return?.();
  }
}

/** Gives out an exact number of bytes at a time: a window of a chunk, or a copy where they are in several. */
class ByteQueue {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterator<Uint8Array>) {
    this.#chunks = chunks;
  }

  async take(length: number): Promise<Uint8Array> {
    if (length <= this.#chunk.length) return this.#cut(length);
    const taken = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      if (this.#chunk.length === 0 && !(await this.#next())) throw corrupt('it ends too early');
      const part = this.#cut(Math.min(this.#chunk.length, length - filled));
      taken.set(part, filled);
      filled += part.length;
    }
    return taken;
  }

  #cut(length: number): Uint8Array {
    const cut = this.#chunk.subarray(0, length);
    this.#chunk = this.#chunk.subarray(length);
    return cut;
  }

  async ended(): Promise<boolean> {
    return this.#chunk.length === 0 && !(await this.#next());
  }

  /** Moves on to the next chunk that is not empty; false at the end. */
  async #next(): Promise<boolean> {
    for (;;) {
      const next = await this.#chunks.next();
      if (next.done === true) return false;
      if (next.value.length === 0) continue;
      // Plain even of a Buffer, whose `slice` is no copy.
      const { buffer, byteOffset, length } = next.value;
      this.#chunk = new Uint8Array(buffer, byteOffset, length);
      return true;
    }
  }
}
