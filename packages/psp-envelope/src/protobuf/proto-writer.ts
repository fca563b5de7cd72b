import { invalid } from '../errors.js';

/** Bytes of an unsigned integer as varint. @throws EnvelopeError ENVELOPE_INVALID_VALUE when it is none below 2^53 */
export function varintSize(value: number): number {
  if (value < 0x80 && value >= 0 && Number.isInteger(value)) return 1;
  if (!Number.isSafeInteger(value) || value < 0) invalid('an integer', 'must be from 0 to 2^53 - 1', value);
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

/** Bytes of an integer field with a number below 16; 0 for the default, which proto3 leaves out. */
export function intFieldSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}

/** Bytes of a field with a number below 16 that holds `length` bytes, even when it is empty. */
export function lengthFieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}

/** Bytes of a bytes or string field with a number below 16; 0 for the default. */
export function bytesFieldSize(length: number): number {
  return length === 0 ? 0 : lengthFieldSize(length);
}

/** Gives zeroed memory of so many bytes, for instance such as other threads can read too. */
export type Allocate = (bytes: number) => Uint8Array;

/**
 * Writes one protobuf message into a buffer of exactly the right size, which the size functions beside it tell. Fields
 * in ascending order, defaults left out: the same bytes as protobuf-es writes.
 */
export class ProtoWriter {
  readonly bytes: Uint8Array;
  #at = 0;

  /** @param allocate gives zeroed memory of so many bytes */
  constructor(size: number, allocate: Allocate = (bytes) => new Uint8Array(bytes)) {
    this.bytes = allocate(size);
  }

  /** Bytes that were written. */
  get length(): number {
    return this.#at;
  }

  int(field: number, value: number): void {
    if (value === 0) return;
    this.bytes[this.#at++] = field << 3;
    this.#varint(value);
  }

  bool(field: number, value: boolean): void {
    if (value) this.int(field, 1);
  }

  /** A bytes or string field; nothing when empty. */
  data(field: number, value: Uint8Array): void {
    if (value.length > 0) this.message(field, value);
  }

  /** A field that is written even when it is empty: a message that is there, or an element of a repeated field. */
  message(field: number, value: Uint8Array): void {
    this.open(field, value.length);
    this.raw(value);
  }

  /** Begins a field of `length` bytes, which the next calls write. */
  open(field: number, length: number): void {
    this.bytes[this.#at++] = (field << 3) | 2;
    this.#varint(length);
  }

  /** Fields that are encoded already. */
  raw(value: Uint8Array): void {
    this.bytes.set(value, this.#at);
    this.#at += value.length;
  }

  #varint(value: number): void {
    const bytes = this.bytes;
    let rest = value;
    // Bit operations hold 32 bits only; above that, arithmetic.
    while (rest > 0x7fff_ffff) {
      bytes[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    while (rest >= 0x80) {
      bytes[this.#at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[this.#at++] = rest;
  }
}
