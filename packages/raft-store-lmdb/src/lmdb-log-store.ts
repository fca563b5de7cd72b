import { entrySize, EntryType, type LogEntry, type LogIndex, type LogStore } from '@discovery-raft/raft-core';
import { BLOCK_HEAD_BYTES, encodeBlock } from './block-format.js';
import { BlockIndex, type BlockSlot } from './block-index.js';
import { BlockReader } from './block-reader.js';
import type { Change } from './database.js';
import { maxEncodedBytes } from './entry-format.js';
import { blockKey, LOG_HEAD_KEY, type BlockName } from './keys.js';
import { loadLog } from './load-log.js';
import { encodeLogHead, FORMAT_VERSION } from './record-format.js';
import { Redactions, type RedactionPlan } from './redactions.js';
import { RewriteChoice } from './rewrite-choice.js';
import { Scratch } from './scratch.js';
import { StoreError } from './store-error.js';
import { TailCache } from './tail-cache.js';
import type { WriteGate } from './write-gate.js';

/** LMDB puts 24 bytes of its own before a value on pages of its own; what is left of 16 pages is a block. */
const MAX_BLOCK_BYTES = 16 * 4096 - 24;

/** Reads a block. */
type EntriesOf = (slot: BlockSlot) => readonly LogEntry[];

/** What the log store may take; see `LmdbStoreOptions`. */
export interface LogStoreLimits {
  readonly cacheBytes: number;
  readonly maxWaitingTombstones: number;
}

/** What the log store says of itself. */
export interface LogStoreStats {
  readonly entries: number;
  readonly blocks: number;
  /** Tombstones that are not in their blocks yet. */
  readonly waitingTombstones: number;
  /** Bytes of the records that hold them meanwhile. */
  readonly waitingTombstoneBytes: number;
  /** Blocks that were rewritten to take tombstones in, since the store was opened, and the bytes written for it. */
  readonly rewrittenBlocks: number;
  readonly rewrittenBytes: number;
  /** Bytes of entries that are kept in memory. */
  readonly cacheBytes: number;
}

/** The log, in blocks; {@link LmdbStore.logStore}. */
export class LmdbLogStore implements LogStore {
  readonly #gate: WriteGate;
  readonly #onClose: () => Promise<void>;
  readonly #index = new BlockIndex();
  readonly #redactions = new Redactions();
  readonly #cache: TailCache;
  readonly #blocks: BlockReader;
  readonly #rewrites: RewriteChoice;
  readonly #scratch = new Scratch();
  /** Where blocks lie that are lent; null while somebody has one. */
  #lendable: Scratch | null = new Scratch();
  #firstIndex: LogIndex = 1;
  #writing = false;
  #rewrittenBlocks = 0;
  #rewrittenBytes = 0;

  private constructor(gate: WriteGate, limits: LogStoreLimits, onClose: () => Promise<void>) {
    this.#gate = gate;
    this.#onClose = onClose;
    this.#cache = new TailCache(limits.cacheBytes);
    this.#blocks = new BlockReader(gate, this.#index);
    const { maxWaitingTombstones } = limits;
    this.#rewrites = new RewriteChoice(this.#redactions, this.#index, this.#blocks, maxWaitingTombstones);
  }

  /** Checks what is there, within bounds, or begins an empty log. @throws StoreError */
  static async open(gate: WriteGate, limits: LogStoreLimits, onClose: () => Promise<void>): Promise<LmdbLogStore> {
    const store = new LmdbLogStore(gate, limits, onClose);
    const head = loadLog(gate, store.#index, store.#blocks, store.#redactions);
    store.#firstIndex = head?.firstIndex ?? 1;
    if (head?.version !== FORMAT_VERSION) {
      await gate.commit([{ key: LOG_HEAD_KEY, value: encodeLogHead(store.#firstIndex) }]);
    }
    store.#cache.reset(store.lastIndex + 1);
    return store;
  }

  get firstIndex(): LogIndex {
    return this.#firstIndex;
  }

  get lastIndex(): LogIndex {
    return (this.#index.size === 0 ? this.#firstIndex : this.#index.nextIndex) - 1;
  }

  /** @throws StoreError `misuse` (a range that is not wholly inside the log), `corrupt`, `io`, `closed` */
  read(from: LogIndex, to: LogIndex, maxBytes: number): readonly LogEntry[] {
    return [...this.#walk(from, to, maxBytes, (slot) => this.#blocks.entries(slot))];
  }

  /** @throws StoreError like {@link read} */
  readOutline(from: LogIndex, to: LogIndex, maxBytes: number): readonly LogEntry[] {
    return [...this.#walk(from, to, maxBytes, (slot) => this.#blocks.outlines(slot))];
  }

  /** @throws StoreError like {@link read}, while it is walked through */
  *lend(from: LogIndex, to: LogIndex, maxBytes: number): Generator<LogEntry, void> {
    // Who is lent something may ask for more before giving it back.
    const scratch = this.#lendable ?? new Scratch();
    this.#lendable = null;
    try {
      yield* this.#walk(from, to, maxBytes, (slot) => this.#blocks.lent(slot, scratch));
    } finally {
      this.#lendable = scratch;
    }
  }

  *#walk(from: LogIndex, to: LogIndex, maxBytes: number, entriesOf: EntriesOf): Generator<LogEntry, void> {
    if (from < this.#firstIndex || to > this.lastIndex || from > to) throw this.#misuse(`a read of ${from} to ${to}`);
    let bytes = 0;
    for (let index = from; index <= to;) {
      for (const entry of this.#from(index, to, entriesOf)) {
        bytes += entrySize(entry);
        if (bytes > maxBytes && index > from) return;
        yield entry;
        index++;
      }
    }
  }

  /** @throws StoreError `misuse` (not consecutive), `full`, `io`, `poisoned`, `closed` */
  append(entries: readonly LogEntry[]): Promise<void> {
    return this.#extend(entries, []);
  }

  /** @throws StoreError `corrupt`, `full`, `io`, `poisoned`, `closed` */
  async truncateSuffix(from: LogIndex): Promise<void> {
    if (from > this.lastIndex) return;
    if (from <= this.#firstIndex) return this.#restart(this.#firstIndex);
    await this.#write(async () => {
      const index = this.#index;
      const slot = index.find(from);
      const keep = from - index.firstIndexOf(slot);
      const { commandTerm } = index.nameOf(slot);
      const changes: Change[] = [];
      const plan = this.#redactions.plan();
      plan.forgetFrom(from);
      const shortened = keep > 0 ? this.#blocks.rewrite(slot, keep, plan.allOf(index.firstIndexOf(slot))) : null;
      for (let s = slot; s < index.endSlot; s++) {
        changes.push({ key: this.#keyOf(s), value: null });
        plan.dropBlock(index.firstIndexOf(s));
      }
      changes.push(...plan.changes());
      plan.apply();
      index.dropFrom(slot);
      this.#blocks.forget();
      if (shortened !== null) {
        const { bytes, head } = shortened;
        const { firstIndex, tombstones } = head;
        const name = { firstIndex, entries: keep, commandTerm: tombstones > 0 ? 0 : commandTerm };
        changes.push({ key: blockKey(name), value: bytes });
        this.#blocks.hold(firstIndex, bytes);
        index.push(name, bytes.length, tombstones);
      }
      this.#cache.truncateSuffix(from);
      await this.#gate.commit(changes);
      this.#blocks.release();
    });
  }

  /** @throws StoreError `full`, `io`, `poisoned`, `closed` */
  async truncatePrefix(through: LogIndex): Promise<void> {
    if (through < this.#firstIndex || this.#index.size === 0) return;
    const firstIndex = Math.min(through, this.lastIndex) + 1;
    if (firstIndex > this.lastIndex) return this.#restart(firstIndex);
    await this.#write(async () => {
      const index = this.#index;
      const slot = index.find(firstIndex);
      const changes: Change[] = [{ key: LOG_HEAD_KEY, value: encodeLogHead(firstIndex) }];
      const plan = this.#redactions.plan();
      for (let s = index.firstSlot; s < slot; s++) {
        changes.push({ key: this.#keyOf(s), value: null });
        plan.dropBlock(index.firstIndexOf(s));
        this.#blocks.forget(index.firstIndexOf(s));
      }
      changes.push(...plan.changes());
      // Shown before it is durable: the entries cannot be read reliably while the commit runs.
      plan.apply();
      index.dropBefore(slot);
      this.#firstIndex = firstIndex;
      this.#cache.truncatePrefix(firstIndex);
      await this.#gate.commit(changes);
    });
  }

  /** @throws StoreError `full`, `io`, `poisoned`, `closed` */
  async reset(nextIndex: LogIndex): Promise<void> {
    await this.#restart(nextIndex);
  }

  /**
   * @throws StoreError `misuse` (a tombstone of another term than the entry's), `corrupt`, `full`, `io`, `poisoned`,
   *   `closed`
   */
  redact(tombstones: readonly LogEntry[]): Promise<void> {
    return this.#extend([], tombstones);
  }

  /** One commit. @throws StoreError like {@link append} and {@link redact} */
  async appendAndRedact(entries: readonly LogEntry[], tombstones: readonly LogEntry[]): Promise<void> {
    await this.#extend(buried(entries, tombstones), tombstones);
  }

  /** Reads every block and checks it. Gives way to others now and then. @throws StoreError `corrupt`, `io`, `closed` */
  async verify(): Promise<void> {
    let next = this.#firstIndex;
    for (let blocks = 1; next <= this.lastIndex; blocks++) {
      const slot = this.#index.find(next);
      const firstIndex = this.#index.firstIndexOf(slot);
      this.#blocks.forget(firstIndex);
      next = firstIndex + this.#blocks.entries(slot).length;
      if (blocks % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
      // The beginning may have been cut off meanwhile.
      next = Math.max(next, this.#firstIndex);
    }
  }

  stats(): LogStoreStats {
    return {
      entries: this.lastIndex - this.#firstIndex + 1,
      blocks: this.#index.size,
      waitingTombstones: this.#redactions.count,
      waitingTombstoneBytes: this.#redactions.recordBytes,
      rewrittenBlocks: this.#rewrittenBlocks,
      rewrittenBytes: this.#rewrittenBytes,
      cacheBytes: this.#cache.bytes,
    };
  }

  close(): Promise<void> {
    return this.#onClose();
  }

  /** Entries from `index` to at most `to`, at least one: what one block, or the cache, has of them. */
  #from(index: LogIndex, to: LogIndex, entriesOf: EntriesOf): readonly LogEntry[] {
    if (index >= this.#cache.firstIndex)
      return Array.from({ length: to + 1 - index }, (_, i) => this.#cache.get(index + i)!);
    const slot = this.#index.find(index);
    const firstIndex = this.#index.firstIndexOf(slot);
    const entries = entriesOf(slot).slice(index - firstIndex, to + 1 - firstIndex);
    return entries.map((entry, i) => this.#redactions.get(firstIndex, index + i) ?? entry);
  }

  /** Appends entries, and puts tombstones on what lies before them, in one commit. */
  async #extend(entries: readonly LogEntry[], tombstones: readonly LogEntry[]): Promise<void> {
    let next = this.lastIndex + 1;
    for (const entry of entries) if (entry.index !== next++) throw this.#misuse(`an append of entry ${entry.index}`);
    const inside = tombstones.filter(({ index }) => index >= this.#firstIndex && index <= this.lastIndex);
    for (const { index, term } of inside) {
      const known = this.#cache.get(index)?.term ?? term;
      if (known !== term) throw this.#misuse(`a tombstone of term ${term} for entry ${index} of ${known}`);
    }
    if (entries.length === 0 && inside.length === 0) return;
    await this.#write(async () => {
      const blocks = this.#encode(entries);
      const plan = this.#redactions.plan();
      const rewritten = this.#redacted(plan, inside);
      const changes: Change[] = blocks.map(({ name, value }) => ({ key: blockKey(name), value }));
      for (const { slot, value } of rewritten) changes.push(...this.#replacing(slot, value));
      if (inside.length > 0) changes.push(...plan.changes());
      this.#blocks.expectMoved(rewritten.map(({ firstIndex }) => firstIndex));
      await this.#gate.commit(changes);
      if (inside.length > 0) plan.apply();
      this.#showRewritten(rewritten);
      this.#blocks.expectMoved([]);
      for (const { name, value, tombstones: stones } of blocks) this.#index.push(name, value.length, stones);
      for (const stone of inside) this.#cache.replace(stone);
      this.#cache.append(entries);
    });
  }

  /** Plans tombstones for entries of the log, and rewrites the blocks for which that is worth it. */
  #redacted(plan: RedactionPlan, tombstones: readonly LogEntry[]): Rewritten[] {
    if (tombstones.length === 0) return [];
    const index = this.#index;
    for (const stone of tombstones) plan.add(index.firstIndexOf(index.find(stone.index)), stone);
    return this.#rewrites.choose(plan).map((slot) => {
      const firstIndex = index.firstIndexOf(slot);
      const { bytes, head } = this.#blocks.rewrite(slot, index.entriesOf(slot), plan.allOf(firstIndex));
      plan.dropBlock(firstIndex);
      return { slot, firstIndex, value: bytes, tombstones: head.tombstones };
    });
  }

  /** Puts a block in the place of one that had no tombstones, perhaps, and another key for that. */
  #replacing(slot: BlockSlot, value: Uint8Array): readonly Change[] {
    const name = this.#index.nameOf(slot);
    const put: Change = { key: blockKey({ ...name, commandTerm: 0 }), value };
    return name.commandTerm === 0 ? [put] : [{ key: blockKey(name), value: null }, put];
  }

  #showRewritten(rewritten: readonly Rewritten[]): void {
    for (const { slot, firstIndex, value, tombstones } of rewritten) {
      this.#index.measure(slot, value.length, tombstones);
      this.#index.mix(slot);
      this.#blocks.forget(firstIndex);
      this.#rewrittenBlocks++;
      this.#rewrittenBytes += value.length;
    }
  }

  #encode(entries: readonly LogEntry[]): Encoded[] {
    const blocks: Encoded[] = [];
    const target = this.#scratch.take(entries.reduce((sum, e) => sum + maxEncodedBytes(e) + BLOCK_HEAD_BYTES, 0));
    let offset = 0;
    for (let begin = 0; begin < entries.length;) {
      let end = begin;
      let tombstones = 0;
      let { term: commandTerm } = entries[begin]!;
      for (let bytes = BLOCK_HEAD_BYTES; end < entries.length; end++) {
        const entry = entries[end]!;
        bytes += maxEncodedBytes(entry);
        if (bytes > MAX_BLOCK_BYTES && end > begin) break;
        if (entry.type === EntryType.tombstone) tombstones++;
        if (entry.type !== EntryType.command || entry.term !== commandTerm) commandTerm = 0;
      }
      const value = encodeBlock(target.subarray(offset), entries, begin, end);
      const name = { firstIndex: entries[begin]!.index, entries: end - begin, commandTerm };
      blocks.push({ name, value, tombstones });
      offset += value.length;
      begin = end;
    }
    return blocks;
  }

  /** Empties the log; the next entry is `nextIndex`. */
  async #restart(nextIndex: LogIndex): Promise<void> {
    await this.#write(async () => {
      const index = this.#index;
      const changes: Change[] = [{ key: LOG_HEAD_KEY, value: encodeLogHead(nextIndex) }];
      const plan = this.#redactions.plan();
      plan.forgetFrom(0);
      for (let slot = index.firstSlot; slot < index.endSlot; slot++) {
        changes.push({ key: this.#keyOf(slot), value: null });
        plan.dropBlock(index.firstIndexOf(slot));
      }
      changes.push(...plan.changes());
      plan.apply();
      index.dropFrom(index.firstSlot);
      this.#blocks.forget();
      this.#firstIndex = nextIndex;
      this.#cache.reset(nextIndex);
      await this.#gate.commit(changes);
    });
  }

  #keyOf(slot: BlockSlot): Uint8Array {
    return blockKey(this.#index.nameOf(slot));
  }

  /** Refuses a write while another runs: both would plan on the same state. And after a failed one, before it plans. */
  async #write(work: () => Promise<void>): Promise<void> {
    this.#gate.checkWritable();
    if (this.#writing) throw this.#misuse('a write while another is under way');
    this.#writing = true;
    try {
      await work();
    } finally {
      this.#writing = false;
    }
  }

  #misuse(what: string): StoreError {
    const message = `${what} does not fit a log of ${this.#firstIndex} to ${this.lastIndex}`;
    return new StoreError(message, { failure: 'misuse', path: this.#gate.path, part: 'log' });
  }
}

/** The entries, with those that tombstones concern replaced by them. */
function buried(entries: readonly LogEntry[], tombstones: readonly LogEntry[]): readonly LogEntry[] {
  const from = entries[0]?.index ?? Infinity;
  const stones = new Map(tombstones.filter(({ index }) => index >= from).map((stone) => [stone.index, stone]));
  return stones.size === 0 ? entries : entries.map((entry) => stones.get(entry.index) ?? entry);
}

/** A block that takes tombstones in. */
interface Rewritten {
  readonly slot: BlockSlot;
  readonly firstIndex: LogIndex;
  readonly value: Uint8Array;
  /** In the block now. */
  readonly tombstones: number;
}

interface Encoded {
  readonly name: BlockName;
  readonly value: Uint8Array;
  readonly tombstones: number;
}
