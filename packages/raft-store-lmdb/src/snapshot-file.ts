import type { FileHandle } from 'node:fs/promises';
import type { SnapshotMeta, SnapshotSource } from '@discovery-raft/raft-core';
import { FormatError } from './entry-format.js';
import {
  checkHead,
  CHUNK_BYTES,
  chunkPlace,
  decodeChunk,
  decodeTail,
  decodeTrailer,
  HEAD_BYTES,
  tailOffset,
  TRAILER_BYTES,
  type SnapshotTail,
} from './snapshot-format.js';
import { StoreError, storeErrorOf } from './store-error.js';

/** Most bytes that one read gives. */
const MAX_READ_BYTES = 4 << 20;

/** Where a snapshot's file is, for messages. */
export interface SnapshotPlace {
  readonly path: string;
  readonly file: string;
}

/** Reads and checks what a finished file says of itself. @throws StoreError `corrupt`, `io` */
export function readTail(file: FileHandle, place: SnapshotPlace): Promise<SnapshotTail> {
  return checked(place, async () => {
    const { size } = await file.stat();
    checkHead(await readExactly(file, 0, HEAD_BYTES));
    const { metaBytes, checksum } = decodeTrailer(await readExactly(file, size - TRAILER_BYTES, TRAILER_BYTES));
    const tailAt = size - TRAILER_BYTES - metaBytes;
    const tail = decodeTail(await readExactly(file, tailAt, metaBytes), checksum);
    if (tailAt !== tailOffset(tail.meta.size))
      throw new FormatError(`it does not have the ${tail.meta.size} bytes of its state`);
    return tail;
  });
}

/** Reads the state of one snapshot. */
export class SnapshotFileSource implements SnapshotSource {
  readonly meta: SnapshotMeta;
  readonly #file: FileHandle;
  readonly #place: SnapshotPlace;
  /** The chunk that was read last: small reads go through it step by step. */
  #last: { readonly number: number; readonly bytes: Uint8Array } | null = null;
  #closed = false;

  constructor(file: FileHandle, meta: SnapshotMeta, place: SnapshotPlace) {
    this.#file = file;
    this.meta = meta;
    this.#place = place;
  }

  /** @throws StoreError `corrupt`, `io`, `closed` */
  async read(offset: number, maxBytes: number): Promise<Uint8Array> {
    if (this.#closed) throw new StoreError('the snapshot is closed', { failure: 'closed', ...this.#place });
    const length = Math.max(0, Math.min(maxBytes, this.meta.size - offset, MAX_READ_BYTES));
    const result = new Uint8Array(length);
    if (length === 0) return result;
    const first = Math.floor(offset / CHUNK_BYTES);
    let skip = offset - first * CHUNK_BYTES;
    let done = 0;
    for (const chunk of await this.#chunks(first, Math.floor((offset + length - 1) / CHUNK_BYTES))) {
      const piece = chunk.subarray(skip, skip + length - done);
      result.set(piece, done);
      done += piece.length;
      skip = 0;
    }
    return result;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#file.close();
  }

  /** These chunks, which are next to one another, with one read of the file. */
  async #chunks(first: number, last: number): Promise<readonly Uint8Array[]> {
    const chunks = this.#last?.number === first ? [this.#last.bytes] : [];
    const from = first + chunks.length;
    if (from > last) return chunks;
    const { size } = this.meta;
    const begin = chunkPlace(from, size).at;
    const { at: lastAt, bytes: lastBytes } = chunkPlace(last, size);
    await checked(this.#place, async () => {
      const read = await readExactly(this.#file, begin, lastAt + lastBytes - begin);
      for (let number = from; number <= last; number++) {
        const { at, bytes } = chunkPlace(number, size);
        chunks.push(decodeChunk(number, read.subarray(at - begin, at - begin + bytes)));
      }
    });
    this.#last = { number: last, bytes: chunks.at(-1)!.slice() };
    return chunks;
  }
}

async function readExactly(file: FileHandle, at: number, length: number): Promise<Uint8Array> {
  if (at < 0) throw new FormatError('it is too short');
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, at + done);
    if (bytesRead === 0) throw new FormatError(`it ends at byte ${at + done}`);
    done += bytesRead;
  }
  return bytes;
}

async function checked<T>(place: SnapshotPlace, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof FormatError))
      throw storeErrorOf('a read of a snapshot', error, { ...place, part: 'snapshot' });
    const details = { failure: 'corrupt', ...place, part: 'snapshot' } as const;
    throw new StoreError(`snapshot ${place.file} is damaged (${error.message})`, details, error);
  }
}
