import type { LogIndex } from '@discovery-raft/raft-core';
import { HASH_BYTES, putHash, putInteger } from './hashing.js';
import { PIECE, pieceOf, Pieces, placeIn } from './pieces.js';

/** Bytes of a row: the log index of a record, and the hash of its canonical entry. */
export const ROW_BYTES = 8 + HASH_BYTES;
/** The same in words of 32 bits, in which they are copied. */
export const ROW_WORDS = ROW_BYTES / 4;

/** What {@link RecordRows} were when they were frozen. */
export class FrozenRows {
  readonly #pieces: readonly Uint32Array[];

  constructor(pieces: readonly Uint32Array[]) {
    this.#pieces = pieces;
  }

  /** Copies the row of a record that was in the list then. */
  copy(row: number, target: Uint32Array, at: number): void {
    const piece = this.#pieces[pieceOf(row)]!;
    const from = placeIn(row) * ROW_WORDS;
    for (let i = 0; i < ROW_WORDS; i++) target[at + i] = piece[from + i]!;
  }
}

/**
 * What the digest of a state is made of, for each live record a row: close together, since a walk that looks into each
 * record's own bytes waits for the memory four times a record. Frozen in constant time.
 */
export class RecordRows {
  readonly #pieces = new Pieces(
    () => new Uint32Array(PIECE * ROW_WORDS),
    (piece) => piece.slice(),
  );
  #size = 0;
  readonly #free: number[] = [];
  readonly #row = new Uint8Array(ROW_BYTES);
  readonly #words = new Uint32Array(this.#row.buffer);
  readonly #fields = new DataView(this.#row.buffer);

  /**
   * A record comes in.
   *
   * @param hash packed
   * @returns its row
   */
  add(index: LogIndex, hash: string): number {
    const row = this.#free.pop() ?? this.#size++;
    putInteger(this.#fields, 0, index);
    putHash(this.#row, 8, hash);
    this.#pieces.own(row).set(this.#words, placeIn(row) * ROW_WORDS);
    return row;
  }

  /** The hash of a row, in bytes of its own. */
  hashOf(row: number): Uint8Array {
    const piece = this.#pieces.of(row)!;
    const from = placeIn(row) * ROW_WORDS;
    for (let i = 0; i < ROW_WORDS; i++) this.#words[i] = piece[from + i]!;
    return this.#row.slice(ROW_BYTES - HASH_BYTES);
  }

  /** The record of a row has left; its row is another's next. */
  remove(row: number): void {
    this.#free.push(row);
  }

  /** The rows as they are now, for good. */
  freeze(): FrozenRows {
    return new FrozenRows(this.#pieces.freeze());
  }
}
