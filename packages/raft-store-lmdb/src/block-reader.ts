import { EntryType, type LogEntry, type LogIndex, type Term } from '@discovery-raft/raft-core';
import { checkBlock, decodeBlock, rewriteBlock, type BlockHead } from './block-format.js';
import type { BlockIndex, BlockSlot } from './block-index.js';
import { commandOutline, entryReader, FormatError, readOutline, readWindows, type ReadEntry } from './entry-format.js';
import { blockKey, type BlockName } from './keys.js';
import type { Scratch } from './scratch.js';
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
  /** First indexes of blocks that get another key: until that is reported, the database has them under one or the other. */
  #moving: ReadonlySet<LogIndex> = new Set();

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

  /** The same without the bytes of commands, and without reading a block that has nothing else; not kept. @throws StoreError `corrupt`, `io`, `closed` */
  outlines(slot: BlockSlot): readonly LogEntry[] {
    const firstIndex = this.#index.firstIndexOf(slot);
    if (this.#held?.firstIndex === firstIndex) return this.#held.entries;
    const decoded = this.#decoded.get(firstIndex);
    if (decoded !== undefined) return decoded;
    const { commandTerm, entries } = this.#index.nameOf(slot);
    if (commandTerm === 0) return this.#decode(slot, readOutline);
    return Array.from({ length: entries }, (_, i) => commandOutline(firstIndex + i, commandTerm));
  }

  /** The entries of a block with their bytes in `scratch`: good until that is used again, and not kept. @throws StoreError `corrupt`, `io`, `closed` */
  lent(slot: BlockSlot, scratch: Scratch): readonly LogEntry[] {
    const firstIndex = this.#index.firstIndexOf(slot);
    if (this.#held?.firstIndex === firstIndex) return this.#held.entries;
    const decoded = this.#decoded.get(firstIndex);
    if (decoded !== undefined) return decoded;
    return this.#read(slot, (bytes, { commandTerm }) => {
      // The next read of the database overwrites what this one gave.
      const own = scratch.take(bytes.length).subarray(0, bytes.length);
      own.set(bytes);
      return this.#entriesIn(slot, own, commandTerm, readWindows);
    });
  }

  /** Checks a block and measures it. @throws StoreError `corrupt`, `io`, `closed` */
  measure(slot: BlockSlot): void {
    this.#read(slot, (bytes) => this.#checkHead(slot, bytes));
  }

  /** A copy of a block with tombstones in it, and only its first `keep` entries. @throws StoreError */
  rewrite(
    slot: BlockSlot,
    keep: number,
    tombstones: ReadonlyMap<LogIndex, LogEntry>,
  ): { readonly bytes: Uint8Array; readonly head: BlockHead } {
    return this.#read(slot, (bytes) => rewriteBlock(bytes, keep, tombstones));
  }

  /** Keeps a block in memory until {@link release}. @param bytes as {@link rewrite} gave them */
  hold(firstIndex: LogIndex, bytes: Uint8Array): void {
    this.#held = { firstIndex, entries: decodeBlock(bytes) };
  }

  release(): void {
    this.#held = null;
  }

  /** These blocks, by first index, are on their way to the key of blocks that have tombstones; till the next call. */
  expectMoved(firstIndexes: Iterable<LogIndex>): void {
    this.#moving = new Set(firstIndexes);
  }

  /** Forgets what was decoded, of one block or of all. */
  forget(firstIndex?: LogIndex): void {
    if (firstIndex === undefined) this.#decoded.clear();
    else this.#decoded.delete(firstIndex);
  }

  #decode(slot: BlockSlot, read: ReadEntry): readonly LogEntry[] {
    return this.#read(slot, (bytes, { commandTerm }) => this.#entriesIn(slot, bytes, commandTerm, read));
  }

  #entriesIn(slot: BlockSlot, bytes: Uint8Array, commandTerm: Term, read: ReadEntry): readonly LogEntry[] {
    const entries = decodeBlock(bytes, this.#checkHead(slot, bytes), read);
    checkEntries(entries, this.#index.firstIndexOf(slot), commandTerm);
    return entries;
  }

  /** @param use gets the block and the name under which it was found */
  #read<T extends object>(slot: BlockSlot, use: (bytes: Uint8Array, name: BlockName) => T): T {
    const name = this.#index.nameOf(slot);
    const under = (key: BlockName): T | undefined =>
      this.#gate.read(blockKey(key), (bytes) => (bytes === undefined ? undefined : use(bytes, key)));
    try {
      let found = under(name);
      if (this.#moving.has(name.firstIndex)) found ??= under({ ...name, commandTerm: 0 });
      if (found === undefined) throw new FormatError('it is not there');
      return found;
    } catch (error) {
      if (error instanceof FormatError) throw this.#corrupt(slot, error.message, error);
      throw error;
    }
  }

  #checkHead(slot: BlockSlot, bytes: Uint8Array): BlockHead {
    const head = checkBlock(bytes);
    if (head.firstIndex !== this.#index.firstIndexOf(slot) || head.entries !== this.#index.entriesOf(slot)) {
      throw new FormatError(`it says that it holds ${head.entries} entries from ${head.firstIndex}`);
    }
    this.#index.measure(slot, bytes.length, head.tombstones);
    return head;
  }

  #corrupt(slot: BlockSlot, problem: string, cause?: unknown): StoreError {
    const index = this.#index.firstIndexOf(slot);
    const last = index + this.#index.entriesOf(slot) - 1;
    const details = { failure: 'corrupt', path: this.#gate.path, part: 'block', index } as const;
    return new StoreError(`the block of entries ${index} to ${last} is damaged (${problem})`, details, cause);
  }
}

/** @param commandTerm what the block's key says: of all entries when they are commands all, else 0 */
function checkEntries(entries: readonly LogEntry[], firstIndex: LogIndex, commandTerm: Term): void {
  for (const [i, { index, term, type }] of entries.entries()) {
    if (index !== firstIndex + i) throw new FormatError(`entry ${index} stands where ${firstIndex + i} belongs`);
    if (commandTerm === 0 || (term === commandTerm && type === EntryType.command)) continue;
    throw new FormatError(`its key says that all are commands of term ${commandTerm}, but entry ${index} is not`);
  }
}
