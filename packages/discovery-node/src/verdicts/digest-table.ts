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
 * times the memory. Digests are evenly spread, so their own first bytes say where to look. The table is made when somebody
 * first looks, which a node that starts does after it serves.
 */
export class DigestTable {
  #blocks: readonly Buffer[];
  #entries: Buffer = Buffer.alloc(0);
  /** Number of an entry plus one, or 0; open addressing with linear probing. */
  #places: Uint32Array | undefined;

  /** @param blocks whole entries in each, to stay as they are; of two with one digest the later one counts */
  constructor(blocks: readonly Buffer[]) {
    this.#blocks = blocks;
  }

  /** Different digests. */
  get size(): number {
    return this.#table().reduce((count, place) => (place === 0 ? count : count + 1), 0);
  }

  /** The period under a digest of 32 bytes. */
  find(digest: Uint8Array): VerdictPeriod | undefined {
    const places = this.#table();
    const place = places[this.#placeOf(places, digest, 0)]!;
    if (place === 0) return undefined;
    const at = (place - 1) * ENTRY_BYTES + DIGEST_BYTES;
    return {
      notBefore: this.#entries.readUIntBE(at, TIME_BYTES),
      notAfter: this.#entries.readUIntBE(at + TIME_BYTES, TIME_BYTES),
    };
  }

  #table(): Uint32Array {
    if (this.#places !== undefined) return this.#places;
    this.#entries = Buffer.concat(this.#blocks);
    this.#blocks = [];
    const count = Math.floor(this.#entries.length / ENTRY_BYTES);
    const places = new Uint32Array(2 ** Math.ceil(Math.log2(2 * count + 2)));
    for (let i = 0; i < count; i++) places[this.#placeOf(places, this.#entries, i * ENTRY_BYTES)] = i + 1;
    this.#places = places;
    return places;
  }

  /** The place of the digest that stands at an offset, or the free one where it would go. */
  #placeOf(places: Uint32Array, bytes: Uint8Array, from: number): number {
    const mask = places.length - 1;
    const first = ((bytes[from]! << 24) | (bytes[from + 1]! << 16) | (bytes[from + 2]! << 8) | bytes[from + 3]!) >>> 0;
    for (let at = first & mask; ; at = (at + 1) & mask) {
      const place = places[at]!;
      if (place === 0 || this.#isSame(place - 1, bytes, from)) return at;
    }
  }

  #isSame(entry: number, bytes: Uint8Array, from: number): boolean {
    const at = entry * ENTRY_BYTES;
    for (let i = 0; i < DIGEST_BYTES; i++) if (this.#entries[at + i] !== bytes[from + i]) return false;
    return true;
  }
}
