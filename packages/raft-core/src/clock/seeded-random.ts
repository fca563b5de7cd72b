import type { Random } from '../ports/random.js';

/**
 * A reproducible source of randomness: the same seed gives the same numbers on every machine (sfc32, by Chris
 * Doty-Humphrey, public domain; passes PractRand). Not for secrets.
 *
 * @param seed any number; its low 32 bits count
 */
export function seededRandom(seed: number): Random {
  let a = 0x9e3779b9;
  let b = 0x243f6a88;
  let c = seed | 0;
  let counter = 1;
  const next32 = (): number => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return t >>> 0;
  };
  for (let i = 0; i < 12; i++) next32();
  return { next: () => next32() / 0x1_0000_0000 };
}

/** A source seeded from the machine's own randomness: no two runs alike. */
export function systemRandom(): Random {
  return { next: () => Math.random() };
}
