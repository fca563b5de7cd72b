/** Protobuf wire types that occur; groups (3 and 4) are refused. */
export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/**
 * Reads the protobuf wire format without ever throwing: whatever does not fit sets `failed`, and from then on every read
 * gives zero or nothing. Byte strings are windows into the input; nothing is copied.
 */
export class WireReader {
  readonly #bytes: Uint8Array;
  #position: number;
  readonly #end: number;
  failed = false;
  /** Whether all integers so far took as few bytes as they can. */
  minimal = true;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#position = start;
    this.#end = end;
  }

  /** Whether another field follows. */
  get more(): boolean {
    return !this.failed && this.#position < this.#end;
  }

  /** Of the next byte to be read. */
  get position(): number {
    return this.#position;
  }

  /** An unsigned integer below 2^53; a greater one fails. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10 && this.#position < this.#end; i++) {
      const byte = this.#bytes[this.#position++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        if (byte === 0 && i > 0) this.minimal = false;
        return value;
      }
      scale *= 128;
    }
    this.failed = true;
    return 0;
  }

  /** A length-prefixed byte string of at most `maxBytes`. */
  bytes(maxBytes: number): Uint8Array {
    const start = this.#span(maxBytes);
    return this.#bytes.subarray(start, this.#position);
  }

  /** Passes over so many bytes. */
  pass(length: number): void {
    this.#advance(length);
  }

  /** A length-prefixed message, to be read with the reader returned. */
  message(): WireReader {
    const start = this.#span(Number.MAX_SAFE_INTEGER);
    const reader = new WireReader(this.#bytes, start, this.#position);
    reader.failed = this.failed;
    return reader;
  }

  /** Passes over the value of a field that this version does not know, after its tag was read. */
  skip(tag: number): void {
    const wireType = tag % 8;
    if (tag < 8 || tag >= 2 ** 32) this.failed = true;
    else if (wireType === WireType.varint) this.#skipVarint();
    else if (wireType === WireType.bytes) this.#span(Number.MAX_SAFE_INTEGER);
    else if (wireType === WireType.fixed64) this.#advance(8);
    else if (wireType === WireType.fixed32) this.#advance(4);
    else this.failed = true;
  }

  #span(maxBytes: number): number {
    const length = this.varint();
    if (length > maxBytes) this.failed = true;
    const start = this.#position;
    this.#advance(length);
    return this.failed ? this.#position : start;
  }

  #advance(length: number): void {
    if (this.failed || length > this.#end - this.#position) this.failed = true;
    else this.#position += length;
  }

  #skipVarint(): void {
    for (let i = 0; i < 10 && this.#position < this.#end; i++) {
      if (this.#bytes[this.#position++]! < 0x80) return;
    }
    this.failed = true;
  }
}

/** Bytes that a varint takes. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Bytes that a field with a number below 16 and this byte string takes. */
export function bytesFieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}

/** Writes the protobuf wire format into a buffer of exactly the right size. */
export class WireWriter {
  readonly bytes: Uint8Array;
  #position = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }

  /** A field with an unsigned integer below 2^53. */
  varintField(field: number, value: number): void {
    this.#varint(field * 8 + WireType.varint);
    this.#varint(value);
  }

  /** A field with a byte string. */
  bytesField(field: number, value: Uint8Array): void {
    this.messageField(field, value.length);
    this.bytes.set(value, this.#position);
    this.#position += value.length;
  }

  /** The beginning of a field whose message, of `size` bytes, is written next. */
  messageField(field: number, size: number): void {
    this.#varint(field * 8 + WireType.bytes);
    this.#varint(size);
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.bytes[this.#position++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.#position++] = rest;
  }
}
