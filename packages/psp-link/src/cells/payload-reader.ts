import { LinkError } from '../errors.js';

/** Reads the fields of a payload. Every read past the end is LINK_MALFORMED with the field's name. */
export class PayloadReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  /** An unsigned big-endian number of 1 to 4 bytes. */
  uint(field: string, byteCount: number): number {
    let value = 0;
    for (const byte of this.bytes(field, byteCount)) value = value * 256 + byte;
    return value;
  }

  /** A view of the next bytes. */
  bytes(field: string, count: number): Uint8Array {
    if (count > this.remaining) throw malformed(`the payload ends inside ${field}`, field);
    const from = this.#at;
    this.#at += count;
    return this.#bytes.subarray(from, this.#at);
  }

  /** Refuses bytes that nobody asked for. */
  end(field: string): void {
    if (this.remaining > 0) throw malformed(`bytes follow ${field}`, field);
  }
}

/** What a payload is refused with. */
export function malformed(message: string, field: string): LinkError {
  return new LinkError('LINK_MALFORMED', message, { field });
}
