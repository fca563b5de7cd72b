import type { VerdictPeriod } from '@discovery-raft/discovery-consensus-fsm';

/** Bytes of a digest. */
export const DIGEST_BYTES = 32;
const TIME_BYTES = 6;
/** A digest, then `notBefore` and `notAfter` in 6 bytes each, big-endian. */
export const ENTRY_BYTES = DIGEST_BYTES + 2 * TIME_BYTES;
/** The last second that such a field can hold. */
export const LAST_SECOND = 2 ** (8 * TIME_BYTES) - 1;

/** Writes an entry at an offset. Times are cut to what fits: 0 to {@link LAST_SECOND}. */
export function writeEntry(into: Buffer, at: number, digest: Uint8Array, period: VerdictPeriod): void {
  into.set(digest, at);
  into.writeUIntBE(Math.max(0, period.notBefore), at + DIGEST_BYTES, TIME_BYTES);
  into.writeUIntBE(Math.min(LAST_SECOND, period.notAfter), at + DIGEST_BYTES + TIME_BYTES, TIME_BYTES);
}

/**
 * Finds entries by their digest, in the bytes in which they were read: an object for each of some 400,000 would take several
 * times the memory. Digests are evenly spread, so their own first bytes say where to look.
 */
export class DigestTable {
  readonly #entries: Buffer;
  /** Number of an entry plus one, or 0; open addressing with linear probing. */
  readonly #places: Uint32Array;

  /** @param entries whole entries, not copied; of two with one digest the later one counts */
  constructor(entries: Buffer) {
    const count = Math.floor(entries.length / ENTRY_BYTES);
    this.#entries = entries;
    this.#places = new Uint32Array(2 ** Math.ceil(Math.log2(2 * count + 2)));
    for (let i = 0; i < count; i++) {
      const at = i * ENTRY_BYTES;
      this.#places[this.#placeOf(entries, at)] = i + 1;
    }
  }

  /** Different digests. */
  get size(): number {
    return this.#places.reduce((count, place) => (place === 0 ? count : count + 1), 0);
  }

  /** The period under a digest of 32 bytes. */
  find(digest: Uint8Array): VerdictPeriod | undefined {
    const place = this.#places[this.#placeOf(digest, 0)]!;
    if (place === 0) return undefined;
    const at = (place - 1) * ENTRY_BYTES + DIGEST_BYTES;
    return {
      notBefore: this.#entries.readUIntBE(at, TIME_BYTES),
      notAfter: this.#entries.readUIntBE(at + TIME_BYTES, TIME_BYTES),
    };
  }

  /** The place of the digest that stands at an offset, or the free one where it would go. */
  #placeOf(bytes: Uint8Array, from: number): number {
    const mask = this.#places.length - 1;
    const first = ((bytes[from]! << 24) | (bytes[from + 1]! << 16) | (bytes[from + 2]! << 8) | bytes[from + 3]!) >>> 0;
    for (let at = first & mask; ; at = (at + 1) & mask) {
      const place = this.#places[at]!;
      if (place === 0 || this.#isSame(place - 1, bytes, from)) return at;
    }
  }

  #isSame(entry: number, bytes: Uint8Array, from: number): boolean {
    const at = entry * ENTRY_BYTES;
    for (let i = 0; i < DIGEST_BYTES; i++) if (this.#entries[at + i] !== bytes[from + i]) return false;
    return true;
  }
}
