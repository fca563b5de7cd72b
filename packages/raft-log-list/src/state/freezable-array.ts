import { pieceOf, Pieces, placeIn } from './pieces.js';

/** What a {@link FreezableArray} was when it was frozen. */
export class FrozenArray<T> {
  readonly #pieces: readonly (readonly T[])[];

  constructor(pieces: readonly (readonly T[])[]) {
    this.#pieces = pieces;
  }

  get(at: number): T | undefined {
    return this.#pieces[pieceOf(at)]?.[placeIn(at)];
  }
}

/** An array that is frozen in constant time. */
export class FreezableArray<T> {
  readonly #pieces = new Pieces<T[]>(
    () => [],
    (piece) => piece.slice(),
  );

  get(at: number): T | undefined {
    return this.#pieces.of(at)?.[placeIn(at)];
  }

  /** @param at of an element, or of the one behind the last */
  set(at: number, value: T): void {
    this.#pieces.own(at)[placeIn(at)] = value;
  }

  /** The array as it is now, for good. */
  freeze(): FrozenArray<T> {
    return new FrozenArray(this.#pieces.freeze());
  }
}
