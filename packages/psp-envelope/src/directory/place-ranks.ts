import type { Steps } from '../steps.js';

/**
 * A rank for each place of the full listing, 0 to 2^32 - 1: what xoshiro128** (Blackman and Vigna, 2018) gives, one number a
 * place, from the first four big-endian words of the digest as its state. The digest is not known before the round, so
 * nobody can make an item that comes first, and each round has another order; whoever decides what is listed could try
 * orders out with a cryptographic generator as well. A digest that begins with 16 zeros has the state 1, 0, 0, 0.
 *
 * @param digest SHA-256 of the full listing's bytes
 * @param perStep places between two points where the work may be interrupted
 */
export function* rankSteps(count: number, digest: Uint8Array, perStep: number): Steps<Uint32Array> {
  const ranks = new Uint32Array(count);
  const words = new DataView(digest.buffer, digest.byteOffset, digest.length);
  let [a, b, c, d] = [words.getInt32(0), words.getInt32(4), words.getInt32(8), words.getInt32(12)];
  if ((a | b | c | d) === 0) a = 1;
  for (let at = 0; at < count; at++) {
    if (at > 0 && at % perStep === 0) yield;
    ranks[at] = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9);
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotateLeft(d, 11);
  }
  return ranks;
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
