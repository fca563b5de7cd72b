/** A value of DER: tag, length, content. */
export function der(tag: number, ...content: readonly Uint8Array[]): Uint8Array {
  const length = content.reduce((sum, part) => sum + part.length, 0);
  const head = length < 0x80 ? [tag, length] : [tag, ...longLength(length)];
  return new Uint8Array(Buffer.concat([Uint8Array.from(head), ...content]));
}

function longLength(length: number): number[] {
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 | bytes.length, ...bytes];
}

/** The tags that a certificate needs. */
export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectId: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
  extensions: 0xa3,
} as const;

/** A date: UTCTime up to the year 2049, GeneralizedTime after it (RFC 5280, section 4.1.2.5). */
export function derTime(atSeconds: number): Uint8Array {
  const digits = new Date(atSeconds * 1000).toISOString().replace(/[-:T]|\.\d+/g, '');
  const year = Number(digits.slice(0, 4));
  return year < 2050 ? der(Tag.utcTime, Buffer.from(digits.slice(2))) : der(Tag.generalizedTime, Buffer.from(digits));
}

/** An element of DER, found. */
export interface DerElement {
  readonly tag: number;
  /** A view. */
  readonly content: Uint8Array;
  /** Where the next element begins. */
  readonly end: number;
}

/** The element that begins at an offset, or undefined when there is none: enough to walk what OpenSSL has parsed. */
export function readDer(bytes: Uint8Array, at: number): DerElement | undefined {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) return undefined;
  let length = first;
  let from = at + 2;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 4 || from + count > bytes.length) return undefined;
    length = 0;
    for (; from < at + 2 + count; from++) length = length * 256 + bytes[from]!;
  }
  const end = from + length;
  return end > bytes.length ? undefined : { tag, content: bytes.subarray(from, end), end };
}
