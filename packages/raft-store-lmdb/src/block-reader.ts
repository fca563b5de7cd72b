import type { LogEntry, LogIndex } from '@discovery-raft/raft-core';
import { checkBlock, decodeBlock, rewriteBlock, type BlockHead } from './block-format.js';
import type { BlockIndex, BlockSlot } from './block-index.js';
import { entryReader, FormatError, readOutline, type ReadEntry } from './entry-format.js';
import { blockKey } from './keys.js';
import { StoreError } from './store-error.js';
import type { WriteGate } from './write-gate.js';

/** Decoded blocks that are kept: a follower that catches up reads one block in several steps. */
const MAX_DECODED_BLOCKS = 4;

/** Reads blocks, and checks each as it is read. */
export class BlockReader {
  readonly #gate: WriteGate;
  readonly #index: BlockIndex;
  readonly #decoded = new Map<LogIndex, readonly LogEntry[]>();
  /** The block that is being shortened: until that is durable, the database has it under one key or the other. */
  #held: { readonly firstIndex: LogIndex; readonly entries: readonly LogEntry[] } | null = null;

  constructor(gate: WriteGate, index: BlockIndex) {
    this.#gate = gate;
    this.#index = index;
  }

  /** The entries of a block as they stand in it. @throws StoreError `corrupt`, `io`, `closed` */
  entries(slot: BlockSlot): readonly LogEntry[] {
    const firstIndex = this.#index.firstIndexOf(slot);
    if (this.#held?.firstIndex === firstIndex) return this.#held.entries;
    let entries = this.#decoded.get(firstIndex);
    if (entries === undefined) {
      entries = this.#decode(slot, entryReader());
      if (this.#decoded.size === MAX_DECODED_BLOCKS) this.#decoded.delete(this.#decoded.keys().next().value!);
      this.#decoded.set(firstIndex, entries);
    }
    return entries;
  }

  /** The same without the bytes of commands; not kept. @throws StoreError `corrupt`, `io`, `closed` */
  outlines(slot: BlockSlot): readonly LogEntry[] {
    const firstIndex = this.#index.firstIndexOf(slot);
    if (this.#held?.firstIndex === firstIndex) return this.#held.entries;
    return this.#decoded.get(firstIndex) ?? this.#decode(slot, readOutline);
  }

  /** Checks a block and measures it. @throws StoreError `corrupt`, `io`, `closed` */
  measure(slot: BlockSlot): void {
    const bytes = this.#bytes(slot);
    const head = this.#checked(slot, () => this.#checkHead(slot, bytes));
    this.#index.measure(slot, bytes.length, head.tombstones);
  }

  /** A copy of a block with tombstones in it, and only its first `keep` entries. @throws StoreError */
  rewrite(
    slot: BlockSlot,
    keep: number,
    tombstones: ReadonlyMap<LogIndex, LogEntry>,
  ): { readonly bytes: Uint8Array; readonly head: BlockHead } {
    const bytes = this.#bytes(slot);
    return this.#checked(slot, () => rewriteBlock(bytes, keep, tombstones));
  }

  /** Keeps a block in memory until {@link release}. @param bytes as {@link rewrite} gave them */
  hold(firstIndex: LogIndex, bytes: Uint8Array): void {
    this.#held = { firstIndex, entries: decodeBlock(bytes) };
  }

  release(): void {
    this.#held = null;
  }

  /** Forgets what was decoded, of one block or of all. */
  forget(firstIndex?: LogIndex): void {
    if (firstIndex === undefined) this.#decoded.clear();
    else this.#decoded.delete(firstIndex);
  }

  #decode(slot: BlockSlot, read: ReadEntry): readonly LogEntry[] {
    const bytes = this.#bytes(slot);
    return this.#checked(slot, () => {
      const head = this.#checkHead(slot, bytes);
      this.#index.measure(slot, bytes.length, head.tombstones);
      return checkIndexes(decodeBlock(bytes, head, read), head.firstIndex);
    });
  }

  #bytes(slot: BlockSlot): Uint8Array {
    const firstIndex = this.#index.firstIndexOf(slot);
    const bytes = this.#gate.get(blockKey(firstIndex, this.#index.entriesOf(slot)));
    if (bytes === undefined) throw this.#corrupt(slot, 'it is not there');
    return bytes;
  }

  #checkHead(slot: BlockSlot, bytes: Uint8Array): BlockHead {
    const head = checkBlock(bytes);
    if (head.firstIndex !== this.#index.firstIndexOf(slot) || head.entries !== this.#index.entriesOf(slot)) {
      throw new FormatError(`it says that it holds ${head.entries} entries from ${head.firstIndex}`);
    }
    return head;
  }

  #checked<T>(slot: BlockSlot, read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (error instanceof FormatError) throw this.#corrupt(slot, error.message, error);
      throw error;
    }
  }

  #corrupt(slot: BlockSlot, problem: string, cause?: unknown): StoreError {
    const index = this.#index.firstIndexOf(slot);
    const last = index + this.#index.entriesOf(slot) - 1;
    const details = { failure: 'corrupt', path: this.#gate.path, part: 'block', index } as const;
    return new StoreError(`the block of entries ${index} to ${last} is damaged (${problem})`, details, cause);
  }
}

function checkIndexes(entries: LogEntry[], firstIndex: LogIndex): LogEntry[] {
  entries.forEach(({ index }, i) => {
    if (index !== firstIndex + i) throw new FormatError(`entry ${index} stands where ${firstIndex + i} belongs`);
  });
  return entries;
}
