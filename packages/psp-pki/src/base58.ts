/**
 * Base58 with the Bitcoin alphabet, for short byte strings such as keys.
 *
 * Changing base is quadratic in the length, so both directions have a limit. The number is kept in limbs of 16 bits
 * and handled five digits at a time: 2^16 * 58^5 is below 2^53, so plain numbers are exact and no BigInt is needed.
 */
import { PkiError } from './errors.js';

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const DIGITS_PER_STEP = 5;
const STEP = 58 ** DIGITS_PER_STEP;
const LIMB = 65_536;

/** The longest byte string that is encoded, in bytes. */
export const MAX_BASE58_BYTES = 128;
/** The longest text that is decoded, in characters: what {@link MAX_BASE58_BYTES} bytes need at most. */
export const MAX_BASE58_CHARS = 176;

/** The value of each ASCII character as a digit; 255 where it is none. */
const DIGIT_OF: Uint8Array = new Uint8Array(128)
  .fill(255)
  .map((none, char) =>
    ALPHABET.includes(String.fromCharCode(char)) ? ALPHABET.indexOf(String.fromCharCode(char)) : none,
  );

function leadingZeros(bytes: Uint8Array): number {
  let zeros = 0;
  while (zeros < bytes.length && bytes[zeros] === 0) zeros++;
  return zeros;
}

/** Packs bytes into 16-bit limbs, most significant first. */
function toLimbs(bytes: Uint8Array): number[] {
  const limbs: number[] = [];
  if (bytes.length % 2 === 1) limbs.push(bytes[0] ?? 0);
  for (let at = bytes.length % 2; at < bytes.length; at += 2) {
    limbs.push((bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0));
  }
  return limbs;
}

/** Divides the number in place by 58^5 and returns the remainder. */
function divideStep(limbs: number[], from: number): number {
  let rest = 0;
  for (let at = from; at < limbs.length; at++) {
    const value = rest * LIMB + (limbs[at] ?? 0);
    const quotient = Math.floor(value / STEP);
    limbs[at] = quotient;
    rest = value - quotient * STEP;
  }
  return rest;
}

/** Multiplies the number in place (least significant limb first) and adds. */
function multiplyAdd(limbs: number[], factor: number, addend: number): void {
  let carry = addend;
  for (let at = 0; at < limbs.length; at++) {
    const value = (limbs[at] ?? 0) * factor + carry;
    carry = Math.floor(value / LIMB);
    limbs[at] = value - carry * LIMB;
  }
  while (carry > 0) {
    const next = Math.floor(carry / LIMB);
    limbs.push(carry - next * LIMB);
    carry = next;
  }
}

/**
 * Encodes bytes as base58. A leading zero byte is a leading `1`, so every byte string has exactly one text.
 *
 * @throws PkiError `PKI_TOO_LARGE` over {@link MAX_BASE58_BYTES}
 */
export function encodeBase58(bytes: Uint8Array): string {
  if (bytes.length > MAX_BASE58_BYTES) {
    throw new PkiError('PKI_TOO_LARGE', `base58 encodes at most ${String(MAX_BASE58_BYTES)} bytes`);
  }
  const limbs = toLimbs(bytes);
  let digits = '';
  let from = 0;
  while (from < limbs.length && limbs[from] === 0) from++;
  while (from < limbs.length) {
    let rest = divideStep(limbs, from);
    while (from < limbs.length && limbs[from] === 0) from++;
    let step = '';
    // The leading group must not be padded with zero digits; every other group must.
    for (let digit = 0; from < limbs.length ? digit < DIGITS_PER_STEP : rest > 0; digit++) {
      step = ALPHABET.charAt(rest % 58) + step;
      rest = Math.floor(rest / 58);
    }
    digits = step + digits;
  }
  return '1'.repeat(leadingZeros(bytes)) + digits;
}

/**
 * Decodes base58 into new bytes. The inverse of {@link encodeBase58}: each text that is accepted encodes back to itself.
 *
 * @throws PkiError `PKI_BASE58` for a character outside the alphabet or more than {@link MAX_BASE58_CHARS} characters
 */
export function decodeBase58(text: string): Uint8Array {
  if (text.length > MAX_BASE58_CHARS) throw new PkiError('PKI_BASE58', 'the base58 text is too long');
  let zeros = 0;
  while (zeros < text.length && text.charCodeAt(zeros) === 0x31) zeros++;
  const limbs: number[] = [];
  for (let at = zeros; at < text.length;) {
    const end = Math.min(at + DIGITS_PER_STEP, text.length);
    let factor = 1;
    let value = 0;
    for (; at < end; at++) {
      const digit = DIGIT_OF[text.charCodeAt(at)] ?? 255;
      if (digit === 255) throw new PkiError('PKI_BASE58', 'a character is outside the base58 alphabet');
      value = value * 58 + digit;
      factor *= 58;
    }
    multiplyAdd(limbs, factor, value);
  }
  const top = limbs.at(-1) ?? 0;
  const length = limbs.length * 2 - (limbs.length > 0 && top < 256 ? 1 : 0);
  const bytes = new Uint8Array(zeros + length);
  for (let at = 0; at < length; at++) {
    const limb = limbs[at >> 1] ?? 0;
    bytes[bytes.length - 1 - at] = at % 2 === 0 ? limb % 256 : limb >> 8;
  }
  return bytes;
}
