const PIECE_BITS = 8;

/** Elements of a piece. */
export const PIECE = 1 << PIECE_BITS;

/** In which piece an element is. */
export function pieceOf(at: number): number {
  return at >>> PIECE_BITS;
}

/** Where in its piece it is. */
export function placeIn(at: number): number {
  return at & (PIECE - 1);
}

/**
 * Pieces of 256 elements each, frozen in constant time: what was frozen and what goes on share all of them, and a piece is copied
 * when it is first written to after that.
 */
export class Pieces<Piece> {
  readonly #make: () => Piece;
  readonly #copy: (piece: Piece) => Piece;
  #pieces: Piece[] = [];
  /** Whether a piece belongs to nothing frozen. */
  #isOwn: boolean[] = [];
  #isFrozen = false;

  constructor(make: () => Piece, copy: (piece: Piece) => Piece) {
    this.#make = make;
    this.#copy = copy;
  }

  /** The piece of an element, to be read; undefined behind the last. */
  of(at: number): Piece | undefined {
    return this.#pieces[pieceOf(at)];
  }

  /** The piece of an element, to be written to: of one that is there, or of the one behind the last. */
  own(at: number): Piece {
    if (this.#isFrozen) {
      this.#pieces = this.#pieces.slice();
      this.#isOwn = this.#pieces.map(() => false);
      this.#isFrozen = false;
    }
    const piece = pieceOf(at);
    if (piece === this.#pieces.length) this.#pieces.push(this.#make());
    else if (!this.#isOwn[piece]!) this.#pieces[piece] = this.#copy(this.#pieces[piece]!);
    this.#isOwn[piece] = true;
    return this.#pieces[piece]!;
  }

  /** All pieces as they are now, for good. */
  freeze(): readonly Piece[] {
    this.#isFrozen = true;
    return this.#pieces;
  }
}
