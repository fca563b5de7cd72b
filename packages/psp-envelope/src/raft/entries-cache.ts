import type { LogEntry } from '@discovery-raft/raft-core';
import { encodeEntries } from './log-entries.js';

interface Batch {
  readonly entries: readonly LogEntry[];
  readonly bytes: Uint8Array;
}

/** Bounds of an {@link EntriesCache}. */
export interface EntriesCacheOptions {
  /** Batches that are remembered; default 16, enough for followers that are a few batches apart. */
  readonly maxBatches?: number;
  /** Encoded bytes that they may add up to; default 4 MiB. A larger batch is not remembered. */
  readonly maxBytes?: number;
}

/**
 * Remembers the encoded form of the last batches, so that one which goes to several followers is encoded once.
 *
 * A batch is known again by the identity of its entries, not of its array: Raft may cut a new array for each follower.
 * Every entry is compared, since one in the middle may have been redacted meanwhile. The oldest batch goes first; a map
 * from entries to bytes would instead keep the encoded log in memory for as long as the log itself.
 */
export class EntriesCache {
  readonly #maxBatches: number;
  readonly #maxBytes: number;
  /** Oldest first. */
  readonly #batches: Batch[] = [];
  #bytes = 0;

  constructor(options: EntriesCacheOptions = {}) {
    this.#maxBatches = options.maxBatches ?? 16;
    this.#maxBytes = options.maxBytes ?? 4 * 1024 * 1024;
  }

  /** Encoded bytes that are remembered. */
  get rememberedBytes(): number {
    return this.#bytes;
  }

  /**
   * The field `entries` of an AppendEntriesRequest. Not to be written to.
   *
   * @throws EnvelopeError ENVELOPE_INVALID_VALUE
   */
  encode(entries: readonly LogEntry[]): Uint8Array {
    // From the newest, since followers are mostly in step.
    for (let i = this.#batches.length - 1; i >= 0; i--) {
      const batch = this.#batches[i]!;
      if (sameEntries(batch.entries, entries)) return batch.bytes;
    }
    const bytes = encodeEntries(entries);
    if (bytes.length > 0 && bytes.length <= this.#maxBytes) this.#remember({ entries, bytes });
    return bytes;
  }

  #remember(batch: Batch): void {
    this.#batches.push(batch);
    this.#bytes += batch.bytes.length;
    while (this.#batches.length > this.#maxBatches || this.#bytes > this.#maxBytes) {
      this.#bytes -= this.#batches.shift()!.bytes.length;
    }
  }
}

function sameEntries(a: readonly LogEntry[], b: readonly LogEntry[]): boolean {
  return a === b || (a.length === b.length && a.every((entry, i) => entry === b[i]));
}
