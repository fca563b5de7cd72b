/** What a number holds exactly. */
const EXACT = 2 ** 53;
/** Places that are sorted at one go. */
const SORTED_AT_ONCE = 1024;
const RANK_BITS = 32;
const MAX_BAND_BITS = 12;

/**
 * Places in the order of their ranks; of one rank, in their own order. They are sorted a band of ranks at a time, when the first
 * of it is asked for: mostly only the first few of a hundred thousand are.
 */
export class RankedPlaces {
  /** How many there are. */
  readonly size: number;
  /** Rank and place in one number, so that sorting needs no comparison in JavaScript; bands one after the other. */
  readonly #keys: Float64Array;
  /** Where each band begins; and the end of the last. */
  readonly #begins: Uint32Array;
  readonly #places: number;
  /** Bands that are sorted. */
  #sorted = 0;

  /**
   * @param members the places, the lowest first
   * @param ranks of all places, 0 to 2^32 - 1
   * @param places how many there are of them
   */
  constructor(members: Uint32Array, ranks: Uint32Array, places: number) {
    this.size = members.length;
    this.#places = 2 ** Math.ceil(Math.log2(places + 1));
    // One bit at least, as a shift by 32 is none.
    const bits = Math.min(MAX_BAND_BITS, Math.max(1, Math.ceil(Math.log2(members.length / SORTED_AT_ONCE))));
    const shift = RANK_BITS - bits;
    const begins = new Uint32Array(2 ** bits + 1);
    for (const at of members) begins[(ranks[at]! >>> shift) + 1]!++;
    for (let band = 0; band < 2 ** bits; band++) begins[band + 1]! += begins[band]!;
    this.#begins = begins;
    // Above 2^21 places the ranks are coarser; never so coarse that one is in two bands.
    const coarse = Math.max(1, (2 ** RANK_BITS * this.#places) / EXACT);
    const next = begins.slice();
    const keys = new Float64Array(members.length);
    for (const at of members) {
      const rank = ranks[at]!;
      keys[next[rank >>> shift]!++] = Math.floor(rank / coarse) * this.#places + at;
    }
    this.#keys = keys;
  }

  /** The place that stands at `turn` in the order, from 0; undefined behind the last. */
  at(turn: number): number | undefined {
    if (turn >= this.size) return undefined;
    for (; this.#begins[this.#sorted]! <= turn; this.#sorted++) {
      this.#keys.subarray(this.#begins[this.#sorted], this.#begins[this.#sorted + 1]).sort();
    }
    return this.#keys[turn]! % this.#places;
  }
}
