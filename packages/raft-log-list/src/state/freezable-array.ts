const PIECE_BITS = 8;
const PIECE = 1 << PIECE_BITS;

/** What a {@link FreezableArray} was when it was frozen. */
export class FrozenArray<T> {
  readonly #pieces: readonly (readonly T[])[];

  constructor(pieces: readonly (readonly T[])[]) {
    this.#pieces = pieces;
  }

  get(at: number): T | undefined {
    return this.#pieces[at >>> PIECE_BITS]?.[at & (PIECE - 1)];
  }
}

/** An array that is frozen in constant time: both share pieces of 256 elements, until one of them is written to. */
export class FreezableArray<T> {
  #pieces: T[][] = [];
  /** Whether a piece belongs to no frozen array. */
  #isOwn: boolean[] = [];
  #isFrozen = false;

  get(at: number): T | undefined {
    return this.#pieces[at >>> PIECE_BITS]?.[at & (PIECE - 1)];
  }

  /** @param at of an element, or of the one behind the last */
  set(at: number, value: T): void {
    if (this.#isFrozen) {
      this.#pieces = this.#pieces.slice();
      this.#isOwn = this.#pieces.map(() => false);
      this.#isFrozen = false;
    }
    const piece = at >>> PIECE_BITS;
    if (piece === this.#pieces.length) {
      this.#pieces.push([]);
      this.#isOwn.push(true);
    } else if (!this.#isOwn[piece]!) {
      this.#pieces[piece] = this.#pieces[piece]!.slice();
      this.#isOwn[piece] = true;
    }
    this.#pieces[piece]![at & (PIECE - 1)] = value;
  }

  /** The array as it is now, for good. */
  freeze(): FrozenArray<T> {
    this.#isFrozen = true;
    return new FrozenArray(this.#pieces);
  }
}
