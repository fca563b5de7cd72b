import type { LogIndex } from '@discovery-raft/raft-core';
import { Domain, HASH_BYTES, putHash, putInteger, unpackHash, type PackedSha256 } from './hashing.js';
import type { LiveRecord } from './live-record.js';

/** Records that are hashed together: large enough that the calls do not count, small enough for any cache. */
const BLOCK_RECORDS = 1024;
const PLACE_BYTES = 8 + HASH_BYTES;

/**
 * Digest of a whole state: the chain over the log that led to it, and the live records in list order, each by its log
 * index and the hash of its canonical entry. Nothing but SHA-256 over all of it, in blocks: whoever finds two states with
 * one digest has found a collision of SHA-256, whatever records he may choose. That a record's hash is made once, when it
 * enters, makes it cheap.
 */
export class StateDigest {
  readonly #sha256: PackedSha256;
  readonly #block = new Uint8Array(1 + BLOCK_RECORDS * PLACE_BYTES);
  readonly #fields = new DataView(this.#block.buffer);
  readonly #blocks: string[] = [];
  #inBlock = 0;
  #size = 0;

  constructor(sha256: PackedSha256) {
    this.#sha256 = sha256;
    this.#block[0] = Domain.block;
  }

  /** The next record in list order. */
  add(record: LiveRecord): void {
    const at = 1 + this.#inBlock * PLACE_BYTES;
    putInteger(this.#fields, at, record.index);
    record.copyHash(this.#block, at + 8);
    this.#size++;
    if (++this.#inBlock === BLOCK_RECORDS) this.#endBlock();
  }

  /**
   * The digest, 32 bytes, once all records are in.
   *
   * @param index last log index that the state covers
   * @param chain value of the `EntryChain`
   */
  finish(index: LogIndex, chain: string): Uint8Array {
    if (this.#inBlock > 0) this.#endBlock();
    const bytes = new Uint8Array(17 + HASH_BYTES * (1 + this.#blocks.length));
    const fields = new DataView(bytes.buffer);
    bytes[0] = Domain.state;
    putInteger(fields, 1, index);
    putInteger(fields, 9, this.#size);
    putHash(bytes, 17, chain);
    for (const [i, hash] of this.#blocks.entries()) putHash(bytes, 17 + HASH_BYTES * (1 + i), hash);
    return unpackHash(this.#sha256(bytes));
  }

  #endBlock(): void {
    this.#blocks.push(this.#sha256(this.#block.subarray(0, 1 + this.#inBlock * PLACE_BYTES)));
    this.#inBlock = 0;
  }
}

/**
 * {@link StateDigest} of records that are there, in steps.
 *
 * @param recordsPerStep from 1: how many records are looked at between two places where the work may be left
 */
export function* digestSteps(
  records: Iterable<LiveRecord>,
  index: LogIndex,
  chain: string,
  sha256: PackedSha256,
  recordsPerStep: number,
): Generator<undefined, Uint8Array, undefined> {
  const digest = new StateDigest(sha256);
  let left = recordsPerStep;
  for (const record of records) {
    digest.add(record);
    if (--left > 0) continue;
    left = recordsPerStep;
    yield;
  }
  return digest.finish(index, chain);
}
