import type { LogIndex } from '@discovery-raft/raft-core';
import { Domain, HASH_BYTES, putHash, putInteger, unpackHash, type PackedSha256 } from './hashing.js';
import { recordsOf, SEVERAL, type FrozenState, type ViewPlace } from './list-view.js';
import { ROW_BYTES, ROW_WORDS, type FrozenRows } from './record-rows.js';

/** Records that are hashed together: large enough that the calls do not count, small enough for any cache. */
const BLOCK_RECORDS = 1024;
/** Where the rows of a block begin, so that they can be copied by words; the byte in front says what is hashed. */
const ROWS_AT = 4;

/**
 * Digest of a whole state: the chain over the log that led to it, and the live records in list order, each by its log
 * index and the hash of its canonical entry. Nothing but SHA-256 over all of it, in blocks: whoever finds two states with
 * one digest has found a collision of SHA-256, whatever records he may choose. That a record's hash is made once, when it
 * enters, makes it cheap.
 */
export class StateDigest {
  readonly #sha256: PackedSha256;
  readonly #block = new Uint8Array(ROWS_AT + BLOCK_RECORDS * ROW_BYTES);
  readonly #words = new Uint32Array(this.#block.buffer, ROWS_AT);
  readonly #fields = new DataView(this.#block.buffer, ROWS_AT);
  readonly #blocks: string[] = [];
  #inBlock = 0;
  #size = 0;

  constructor(sha256: PackedSha256) {
    this.#sha256 = sha256;
    this.#block[ROWS_AT - 1] = Domain.block;
  }

  /** The next record in list order, whose row is among these. */
  addRow(rows: FrozenRows, row: number): void {
    rows.copy(row, this.#words, this.#inBlock * ROW_WORDS);
    this.#added();
  }

  /** The next record in list order, by its log index and the packed hash of its entry. */
  add(index: LogIndex, hash: string): void {
    const at = this.#inBlock * ROW_BYTES;
    putInteger(this.#fields, at, index);
    putHash(this.#block, ROWS_AT + at + 8, hash);
    this.#added();
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

  #added(): void {
    this.#size++;
    if (++this.#inBlock === BLOCK_RECORDS) this.#endBlock();
  }

  #endBlock(): void {
    this.#blocks.push(this.#sha256(this.#block.subarray(ROWS_AT - 1, ROWS_AT + this.#inBlock * ROW_BYTES)));
    this.#inBlock = 0;
  }
}

/**
 * {@link StateDigest} of a state, in steps.
 *
 * @param place last log index that the state covers, and the chain up to it
 * @param recordsPerStep from 1: how many records are looked at between two places where the work may be left
 */
export function* digestSteps(
  { order, held, rowOf, rows }: FrozenState,
  { index, chain }: ViewPlace,
  sha256: PackedSha256,
  recordsPerStep: number,
): Generator<undefined, Uint8Array, undefined> {
  const digest = new StateDigest(sha256);
  let left = recordsPerStep;
  for (const slot of order.sorted.slots) {
    const row = rowOf.get(slot)!;
    if (row !== SEVERAL) {
      digest.addRow(rows, row);
      if (--left === 0) yield void (left = recordsPerStep);
      continue;
    }
    for (const record of recordsOf(held.get(slot))) {
      digest.addRow(rows, record.row);
      if (--left === 0) yield void (left = recordsPerStep);
    }
  }
  return digest.finish(index, chain);
}
