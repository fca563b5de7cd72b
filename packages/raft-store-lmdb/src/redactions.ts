import type { LogEntry, LogIndex } from '@discovery-raft/raft-core';
import { encodeBlock, maxBlockBytes } from './block-format.js';
import type { Change } from './database.js';
import { redactionKey } from './keys.js';

/** A tombstone that is not in its block yet, and the record that holds it meanwhile. */
interface Stone {
  readonly entry: LogEntry;
  sequence: number;
}

interface RecordInfo {
  readonly bytes: number;
  readonly tombstones: number;
  /** Highest index in it, of tombstones that are in their blocks by now too. */
  readonly maxIndex: LogIndex;
  /** Tombstones that lie nowhere else. */
  pending: number;
}

/** Bytes of records that may lie about beside {@link MAX_WASTE} times what is needed. */
const FREE_RECORD_BYTES = 64 << 10;
const MAX_WASTE = 3;
/** Bytes that one tombstone takes in a record; for estimates. */
const STONE_BYTES = 66;

/**
 * Tombstones wait here until enough of a block is dead to be worth rewriting it. On the disk, those of one call stand
 * together in a record, so that a call costs one value however many blocks it touches. A record goes when all its
 * tombstones are in their blocks, or are cut off.
 */
export class Redactions {
  readonly blocks = new Map<LogIndex, Map<LogIndex, Stone>>();
  readonly records = new Map<number, RecordInfo>();
  #count = 0;
  #recordBytes = 0;
  #nextSequence = 1;

  /** Tombstones that wait. */
  get count(): number {
    return this.#count;
  }

  get recordBytes(): number {
    return this.#recordBytes;
  }

  /** The tombstone that waits for this entry of this block. */
  get(blockIndex: LogIndex, index: LogIndex): LogEntry | undefined {
    return this.blocks.get(blockIndex)?.get(index)?.entry;
  }

  /** What waits for this block, by index. */
  ofBlock(blockIndex: LogIndex): Map<LogIndex, LogEntry> {
    const waiting = this.blocks.get(blockIndex);
    return new Map(waiting === undefined ? [] : [...waiting].map(([index, { entry }]) => [index, entry]));
  }

  /** How many wait for this block. */
  countOf(blockIndex: LogIndex): number {
    return this.blocks.get(blockIndex)?.size ?? 0;
  }

  /** Blocks for which something waits, those with the most first. */
  fullestBlocks(): LogIndex[] {
    return [...this.blocks].sort((a, b) => b[1].size - a[1].size).map(([blockIndex]) => blockIndex);
  }

  /** Takes in a record that was read from the disk. `blockOf` gives undefined for an index that is outside the log. */
  load(
    sequence: number,
    bytes: number,
    entries: readonly LogEntry[],
    blockOf: (i: LogIndex) => LogIndex | undefined,
  ): void {
    this.addRecord(sequence, bytes, entries);
    for (const entry of entries) {
      const blockIndex = blockOf(entry.index);
      if (blockIndex !== undefined) this.addStone(blockIndex, { entry, sequence });
    }
  }

  /** Begins a change, which shows only when it is applied. */
  plan(): RedactionPlan {
    return new RedactionPlan(this, this.#nextSequence);
  }

  /** Whether so much of the records is of no use any more that they are worth writing anew. */
  get wasteful(): boolean {
    return this.#recordBytes > FREE_RECORD_BYTES + MAX_WASTE * STONE_BYTES * this.#count;
  }

  addRecord(sequence: number, bytes: number, entries: readonly LogEntry[]): void {
    const maxIndex = entries.reduce((max, { index }) => Math.max(max, index), 0);
    this.records.set(sequence, { bytes, tombstones: entries.length, maxIndex, pending: 0 });
    this.#recordBytes += bytes;
    this.#nextSequence = Math.max(this.#nextSequence, sequence + 1);
  }

  dropRecord(sequence: number): void {
    this.#recordBytes -= this.records.get(sequence)?.bytes ?? 0;
    this.records.delete(sequence);
  }

  addStone(blockIndex: LogIndex, stone: Stone): void {
    let waiting = this.blocks.get(blockIndex);
    if (waiting === undefined) this.blocks.set(blockIndex, (waiting = new Map<LogIndex, Stone>()));
    const old = waiting.get(stone.entry.index);
    if (old === undefined) this.#count++;
    else this.#release(old);
    waiting.set(stone.entry.index, stone);
    const record = this.records.get(stone.sequence);
    if (record !== undefined) record.pending++;
  }

  moveStone(stone: Stone, sequence: number): void {
    this.#release(stone);
    stone.sequence = sequence;
    const record = this.records.get(sequence);
    if (record !== undefined) record.pending++;
  }

  dropBlock(blockIndex: LogIndex): void {
    const waiting = this.blocks.get(blockIndex);
    if (waiting === undefined) return;
    for (const stone of waiting.values()) this.#release(stone);
    this.#count -= waiting.size;
    this.blocks.delete(blockIndex);
  }

  #release(stone: Stone): void {
    const record = this.records.get(stone.sequence);
    if (record !== undefined) record.pending--;
  }
}

/** One change of {@link Redactions}: first {@link changes} goes to the disk, then {@link apply} shows it. */
export class RedactionPlan {
  readonly #redactions: Redactions;
  readonly #sequence: number;
  readonly #fresh = new Map<LogIndex, Map<LogIndex, LogEntry>>();
  readonly #dropped = new Set<LogIndex>();
  #forgottenFrom: LogIndex = Infinity;
  #written: { readonly bytes: number; readonly entries: readonly LogEntry[] } | null = null;
  #moved: readonly Stone[] = [];
  #removed: readonly number[] = [];

  constructor(redactions: Redactions, sequence: number) {
    this.#redactions = redactions;
    this.#sequence = sequence;
  }

  /** A new tombstone for this block. */
  add(blockIndex: LogIndex, tombstone: LogEntry): void {
    let fresh = this.#fresh.get(blockIndex);
    if (fresh === undefined) this.#fresh.set(blockIndex, (fresh = new Map<LogIndex, LogEntry>()));
    fresh.set(tombstone.index, tombstone);
  }

  /** The blocks that have new tombstones, with these. */
  get fresh(): ReadonlyMap<LogIndex, ReadonlyMap<LogIndex, LogEntry>> {
    return this.#fresh;
  }

  /** All that waits, or would wait, for a block: what a rewriting of it takes in. */
  allOf(blockIndex: LogIndex): Map<LogIndex, LogEntry> {
    const all = this.#redactions.ofBlock(blockIndex);
    for (const [index, entry] of this.#fresh.get(blockIndex) ?? []) all.set(index, entry);
    return all;
  }

  /** How many {@link allOf} gives, at most. */
  countOf(blockIndex: LogIndex): number {
    return this.#redactions.countOf(blockIndex) + (this.#fresh.get(blockIndex)?.size ?? 0);
  }

  /** The block is gone, or has its tombstones in it now: nothing waits for it any more. */
  dropBlock(blockIndex: LogIndex): void {
    this.#dropped.add(blockIndex);
  }

  /** No record may say anything of `index` or what is behind it: other entries may take that place. */
  forgetFrom(index: LogIndex): void {
    this.#forgottenFrom = index;
  }

  /** How many tombstones will wait when this is applied. */
  get countAfter(): number {
    let count = this.#redactions.count;
    for (const blockIndex of this.#dropped) count -= this.#redactions.countOf(blockIndex);
    for (const [blockIndex, fresh] of this.#fresh) if (!this.#dropped.has(blockIndex)) count += fresh.size;
    return count;
  }

  /** What must be written. */
  changes(): Change[] {
    const { records } = this.#redactions;
    const released = this.#released();
    const pendingOf = (sequence: number): number => records.get(sequence)!.pending - (released.get(sequence) ?? 0);
    const { wasteful } = this.#redactions;
    const isDoomed = (sequence: number, { maxIndex, tombstones }: RecordInfo): boolean =>
      maxIndex >= this.#forgottenFrom || (wasteful && pendingOf(sequence) * MAX_WASTE < tombstones);
    const doomed = new Set([...records].filter(([sequence, record]) => isDoomed(sequence, record)).map(([s]) => s));
    this.#moved = doomed.size === 0 ? [] : this.#stonesOf(doomed);
    this.#removed = [...records.keys()].filter((sequence) => doomed.has(sequence) || pendingOf(sequence) === 0);
    const changes: Change[] = this.#removed.map((sequence) => ({ key: redactionKey(sequence), value: null }));
    const entries = [...this.#freshThatWait(), ...this.#moved.map(({ entry }) => entry)];
    if (entries.length > 0) {
      const value = encodeBlock(new Uint8Array(maxBlockBytes(entries)), entries, 0, entries.length);
      this.#written = { bytes: value.length, entries };
      changes.push({ key: redactionKey(this.#sequence), value });
    }
    return changes;
  }

  /** Shows what {@link changes} wrote. */
  apply(): void {
    if (this.#written !== null) {
      this.#redactions.addRecord(this.#sequence, this.#written.bytes, this.#written.entries);
    }
    for (const stone of this.#moved) this.#redactions.moveStone(stone, this.#sequence);
    for (const blockIndex of this.#dropped) this.#redactions.dropBlock(blockIndex);
    for (const [blockIndex, fresh] of this.#fresh) {
      if (this.#dropped.has(blockIndex)) continue;
      for (const entry of fresh.values()) this.#redactions.addStone(blockIndex, { entry, sequence: this.#sequence });
    }
    for (const sequence of this.#removed) this.#redactions.dropRecord(sequence);
  }

  #freshThatWait(): LogEntry[] {
    return [...this.#fresh].flatMap(([blockIndex, fresh]) =>
      this.#dropped.has(blockIndex) ? [] : [...fresh.values()],
    );
  }

  /** How many tombstones of each record this change takes away, because their block is dropped or a new one replaces them. */
  #released(): Map<number, number> {
    const released = new Map<number, number>();
    const release = ({ sequence }: Stone): void => void released.set(sequence, (released.get(sequence) ?? 0) + 1);
    for (const blockIndex of this.#dropped) this.#redactions.blocks.get(blockIndex)?.forEach(release);
    for (const [blockIndex, fresh] of this.#fresh) {
      const waiting = this.#dropped.has(blockIndex) ? undefined : this.#redactions.blocks.get(blockIndex);
      if (waiting === undefined) continue;
      for (const index of fresh.keys()) {
        const stone = waiting.get(index);
        if (stone !== undefined) release(stone);
      }
    }
    return released;
  }

  /** What of these records still waits after this change. */
  #stonesOf(sequences: ReadonlySet<number>): Stone[] {
    const stones: Stone[] = [];
    for (const [blockIndex, waiting] of this.#redactions.blocks) {
      if (this.#dropped.has(blockIndex)) continue;
      const fresh = this.#fresh.get(blockIndex);
      for (const stone of waiting.values()) {
        if (sequences.has(stone.sequence) && fresh?.has(stone.entry.index) !== true) stones.push(stone);
      }
    }
    return stones;
  }
}
