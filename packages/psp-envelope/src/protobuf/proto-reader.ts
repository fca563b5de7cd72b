import { EnvelopeError, requireAtMost } from '../errors.js';
import { decodeStrictText, decodeText, isAsciiOf } from './text.js';

/** Wire types of protobuf that proto3 writes; groups (3 and 4) are refused. */
export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const EMPTY = new Uint8Array(0);

/**
 * Reads one protobuf message from a window of a buffer, without copying and without recursion. Integers are read as
 * numbers and refused above 2^53 - 1, so no bigint is made.
 */
export class ProtoReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, from = 0, to = bytes.length) {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = to;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  /** The next field's tag: number times 8 plus wire type. */
  tag(): number {
    const tag = this.varint();
    if (tag < 8 || tag > 0xffff_ffff) throw new EnvelopeError('ENVELOPE_MALFORMED', 'a field has an impossible number');
    return tag;
  }

  /** An unsigned integer. @throws EnvelopeError ENVELOPE_INVALID_VALUE above 2^53 - 1 */
  varint(): number {
    const bytes = this.#bytes;
    let at = this.#at;
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 10; i++) {
      if (at >= this.#end) throw truncated();
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        // A sum that rounding touches is at least 2^53, so it cannot slip under the bound.
        if (value > Number.MAX_SAFE_INTEGER) {
          throw new EnvelopeError('ENVELOPE_INVALID_VALUE', 'an integer is above 2^53 - 1');
        }
        this.#at = at;
        return value;
      }
      factor *= 128;
    }
    throw new EnvelopeError('ENVELOPE_MALFORMED', 'an integer has more than 10 bytes');
  }

  /** An unsigned integer of 64 bits, of which protobuf drops what is above. */
  uint64(): bigint {
    let value = 0;
    for (let at = this.#at, factor = 1; at < this.#end && at < this.#at + 7; at++, factor *= 128) {
      const byte = this.#bytes[at]!;
      value += (byte & 0x7f) * factor;
      if (byte >= 0x80) continue;
      this.#at = at + 1;
      return BigInt(value);
    }
    return this.#longUint64();
  }

  #longUint64(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.#at >= this.#end) throw truncated();
      const byte = this.#bytes[this.#at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new EnvelopeError('ENVELOPE_MALFORMED', 'an integer has more than 10 bytes');
  }

  /** A window of the buffer, not a copy. */
  bytes(): Uint8Array {
    const { from, to } = this.#window();
    return this.#bytes.subarray(from, to);
  }

  /** A copy that shares nothing with the buffer. @throws EnvelopeError ENVELOPE_TOO_LARGE before it is made */
  ownBytes(field: string, limit: number): Uint8Array {
    const { from, to } = this.#window();
    requireAtMost(field, to - from, limit);
    return from === to ? EMPTY : this.#bytes.slice(from, to);
  }

  /** @throws EnvelopeError ENVELOPE_TOO_LARGE, ENVELOPE_MALFORMED when it is not UTF-8 */
  text(field: string, maxBytes: number): string {
    const { from, to } = this.#window();
    requireAtMost(field, to - from, maxBytes);
    return from === to ? '' : decodeText(this.#bytes.subarray(from, to));
  }

  /** A text; `expected` itself where that is what stands there. @throws EnvelopeError ENVELOPE_MALFORMED when it is not UTF-8 */
  strictText(expected: string): string {
    const { from, to } = this.#window();
    return isAsciiOf(expected, this.#bytes, from, to) ? expected : decodeStrictText(this.#bytes.subarray(from, to));
  }

  /** Passes over a text, which must be one. @throws EnvelopeError ENVELOPE_MALFORMED when it is not UTF-8 */
  checkText(): void {
    const { from, to } = this.#window();
    let at = from;
    while (at < to && this.#bytes[at]! < 0x80) at++;
    if (at < to) decodeStrictText(this.#bytes.subarray(from, to));
  }

  /** A reader of the message in this field. */
  message(): ProtoReader {
    const { from, to } = this.#window();
    return new ProtoReader(this.#bytes, from, to);
  }

  /** Passes over the value of a field that is not known, or not with this wire type. */
  skip(tag: number): void {
    switch (tag & 7) {
      case WireType.varint:
        this.#skipVarint();
        return;
      case WireType.fixed64:
        this.#advance(8);
        return;
      case WireType.bytes:
        this.#window();
        return;
      case WireType.fixed32:
        this.#advance(4);
        return;
      default:
        throw new EnvelopeError('ENVELOPE_MALFORMED', 'a field has a wire type that proto3 does not use');
    }
  }

  #skipVarint(): void {
    for (let i = 0; i < 10; i++) {
      if (this.#at >= this.#end) throw truncated();
      if (this.#bytes[this.#at++]! < 0x80) return;
    }
    throw new EnvelopeError('ENVELOPE_MALFORMED', 'an integer has more than 10 bytes');
  }

  #window(): { from: number; to: number } {
    const length = this.varint();
    const from = this.#at;
    this.#advance(length);
    return { from, to: this.#at };
  }

  #advance(bytes: number): void {
    if (bytes > this.#end - this.#at) throw truncated();
    this.#at += bytes;
  }
}

function truncated(): EnvelopeError {
  return new EnvelopeError('ENVELOPE_TRUNCATED', 'the bytes end inside a field');
}
