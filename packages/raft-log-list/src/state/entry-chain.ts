import type { LogIndex, Term } from '@discovery-raft/raft-core';
import { Domain, HASH_BYTES, putHash, putInteger, type PackedSha256 } from './hashing.js';

const LINK_BYTES = 1 + HASH_BYTES + 8 + 8 + HASH_BYTES;

/** The chain before the first entry: 32 zeros. */
export const EMPTY_CHAIN = '\0'.repeat(HASH_BYTES);

/**
 * The hash chain over the list's log entries: each link is the SHA-256 of the link before it, the entry's index and term,
 * and the SHA-256 of its data.
 *
 * An entry that has left the log still gives its link, because its tombstone holds that same SHA-256. So the chain is
 * equal wherever the same log was applied, by whatever mixture of entries, tombstones and snapshots.
 */
export class EntryChain {
  readonly #sha256: PackedSha256;
  readonly #link = new Uint8Array(LINK_BYTES);
  readonly #fields = new DataView(this.#link.buffer);
  #value: string;

  /** @param value where the chain goes on from */
  constructor(sha256: PackedSha256, value = EMPTY_CHAIN) {
    this.#sha256 = sha256;
    this.#value = value;
  }

  /** The last link, packed. */
  get value(): string {
    return this.#value;
  }

  /** @param dataHash SHA-256 of the entry's data, packed */
  extend(index: LogIndex, term: Term, dataHash: string): void {
    this.#link[0] = Domain.link;
    putHash(this.#link, 1, this.#value);
    putInteger(this.#fields, 1 + HASH_BYTES, index);
    putInteger(this.#fields, 9 + HASH_BYTES, term);
    putHash(this.#link, 17 + HASH_BYTES, dataHash);
    this.#value = this.#sha256(this.#link);
  }
}
