import type { FileHandle } from 'node:fs/promises';
import type { SnapshotMeta, SnapshotSink } from '@discovery-raft/raft-core';
import { CHUNK_BYTES, encodeChunk, encodeHead } from './snapshot-format.js';
import { type StoreError } from './store-error.js';

/** What becomes of a sink's file in the end. */
export interface SinkEnd {
  /** Writes the tail, and makes the file durable and visible. */
  finish(file: FileHandle, size: number): Promise<SnapshotMeta>;
  /** Takes the file away. Never rejects. */
  drop(file: FileHandle): Promise<void>;
  /** The sink takes no more. */
  ended(sink: SnapshotFileSink): void;
  /** What the error of a failed write is. */
  errorOf(error: unknown): StoreError;
  /** The error of a call after the end. */
  closedError(): StoreError;
}

/** Writes one snapshot. A write that fails drops it. */
export class SnapshotFileSink implements SnapshotSink {
  readonly id: string;
  readonly #file: FileHandle;
  readonly #end: SinkEnd;
  readonly #chunk = new Uint8Array(CHUNK_BYTES);
  #filled = 0;
  #chunks = 0;
  #size = 0;
  #open = true;

  private constructor(id: string, file: FileHandle, end: SinkEnd) {
    this.id = id;
    this.#file = file;
    this.#end = end;
  }

  static async begin(id: string, file: FileHandle, end: SinkEnd): Promise<SnapshotFileSink> {
    const sink = new SnapshotFileSink(id, file, end);
    await sink.#guard(() => writeAll(file, encodeHead()));
    return sink;
  }

  get size(): number {
    return this.#size;
  }

  /** The chunk is copied. @throws StoreError `full`, `io`, `closed` */
  async write(chunk: Uint8Array): Promise<void> {
    this.#checkOpen();
    this.#size += chunk.length;
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + CHUNK_BYTES - this.#filled);
      this.#chunk.set(piece, this.#filled);
      this.#filled += piece.length;
      at += piece.length;
      if (this.#filled === CHUNK_BYTES) await this.#flush();
    }
  }

  /** @throws StoreError `full`, `io`, `closed` */
  async close(): Promise<SnapshotMeta> {
    this.#checkOpen();
    if (this.#filled > 0) await this.#flush();
    const meta = await this.#guard(() => this.#end.finish(this.#file, this.#size));
    this.#open = false;
    this.#end.ended(this);
    return meta;
  }

  async cancel(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#end.ended(this);
    await this.#end.drop(this.#file);
  }

  async #flush(): Promise<void> {
    const bytes = encodeChunk(this.#chunks++, this.#chunk.subarray(0, this.#filled));
    this.#filled = 0;
    await this.#guard(() => writeAll(this.#file, bytes));
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      await this.cancel();
      throw this.#end.errorOf(error);
    }
  }

  #checkOpen(): void {
    if (!this.#open) throw this.#end.closedError();
  }
}

/** Writes on where the last write ended. */
export async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
}
