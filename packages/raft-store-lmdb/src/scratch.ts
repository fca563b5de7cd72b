/** Most bytes that are kept from one use to the next. */
const MAX_KEPT_BYTES = 4 << 20;

/** Memory that each write uses anew, so that a batch does not cost an allocation of its size. */
export class Scratch {
  #bytes = new Uint8Array(64 << 10);

  /** At least this many bytes, valid until the next call; what they hold is not defined. */
  take(minBytes: number): Uint8Array {
    if (minBytes <= this.#bytes.length) return this.#bytes;
    if (minBytes > MAX_KEPT_BYTES) return new Uint8Array(minBytes);
    this.#bytes = new Uint8Array(Math.min(MAX_KEPT_BYTES, 2 * minBytes));
    return this.#bytes;
  }
}
