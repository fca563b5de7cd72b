import { PkiError } from './errors.js';

/**
 * Reads big-endian fields off untrusted bytes without copying: what it returns are views of the caller's bytes.
 * A read past the end throws `PKI_TRUNCATED`.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    // A plain Uint8Array even of a Buffer, so that views compare and slice like any other.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Offset of the next byte. */
  get offset(): number {
    return this.#at;
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  uint8(): number {
    return this.#bytes[this.#advance(1)]!;
  }

  uint16(): number {
    const at = this.#advance(2);
    return this.#bytes[at]! * 0x100 + this.#bytes[at + 1]!;
  }

  uint32(): number {
    return uint32At(this.#bytes, this.#advance(4));
  }

  /** Seconds in 8 bytes; `PKI_TIME_OUT_OF_RANGE` above 2^53 - 1, which a number cannot hold exactly. */
  seconds(): number {
    const at = this.#advance(8);
    const high = uint32At(this.#bytes, at);
    if (high > 0x1f_ffff) throw new PkiError('PKI_TIME_OUT_OF_RANGE', 'a time lies beyond 2^53 - 1 seconds');
    return high * 0x1_0000_0000 + uint32At(this.#bytes, at + 4);
  }

  /** The next `length` bytes, as a view. */
  take(length: number): Uint8Array {
    const at = this.#advance(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Passes over the next `length` bytes. */
  skip(length: number): void {
    this.#advance(length);
  }

  /** Everything that is left, as a view. */
  rest(): Uint8Array {
    return this.take(this.remaining);
  }

  /** A view of bytes that were read before, from `start` up to where the reader stands. */
  since(start: number): Uint8Array {
    return this.#bytes.subarray(start, this.#at);
  }

  #advance(length: number): number {
    if (length > this.remaining) throw truncated(this.#at, length);
    const at = this.#at;
    this.#at += length;
    return at;
  }
}

function truncated(offset: number, needed: number): PkiError {
  return new PkiError('PKI_TRUNCATED', 'the bytes end too early', { offset, needed });
}

/** One byte, without a reader; `PKI_TRUNCATED` past the end. */
export function uint8At(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw truncated(at, 1);
  return byte;
}

/** Four bytes, the highest first, without a reader; `PKI_TRUNCATED` past the end. */
export function uint32At(bytes: Uint8Array, at: number): number {
  if (at + 4 > bytes.length) throw truncated(at, 4);
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/**
 * ASCII bytes as text; `PKI_IDENTITY_MALFORMED` for any other byte, so that distinct bytes never give one text, and
 * `PKI_TRUNCATED` for an `end` past the end.
 */
export function asciiText(bytes: Uint8Array, begin = 0, end = bytes.length): string {
  if (end > bytes.length) throw truncated(begin, end - begin);
  for (let at = begin; at < end; at++) {
    if (bytes[at]! > 0x7f) throw new PkiError('PKI_IDENTITY_MALFORMED', 'an identity is ASCII');
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset + begin, end - begin).toString('latin1');
}

/** Whether two byte strings are equal. Not constant-time: for public data only. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** One new byte string of several parts. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
