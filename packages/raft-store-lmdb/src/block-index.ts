import type { LogIndex, Term } from '@discovery-raft/raft-core';
import type { BlockName } from './keys.js';

/** Where a block lies in the index; valid until the next change. */
export type BlockSlot = number;

/**
 * Which blocks there are: 24 bytes of memory each. They follow one another without a gap, so that where one ends is where
 * the next begins.
 */
export class BlockIndex {
  #first = new Float64Array(64);
  #commandTerms = new Float64Array(64);
  /** Bytes of the value; 0 while nobody has read it since the store was opened. */
  #bytes = new Uint32Array(64);
  #tombstones = new Uint32Array(64);
  /** Slots at the front whose blocks are gone. */
  #begin = 0;
  #end = 0;
  #nextIndex: LogIndex = 1;

  get size(): number {
    return this.#end - this.#begin;
  }

  /** The slot of the first block; as many as {@link size} follow one another from here. */
  get firstSlot(): BlockSlot {
    return this.#begin;
  }

  /** Behind the last slot. */
  get endSlot(): BlockSlot {
    return this.#end;
  }

  /** Index behind the last entry of the last block; meaningless while there is no block. */
  get nextIndex(): LogIndex {
    return this.#nextIndex;
  }

  firstIndexOf(slot: BlockSlot): LogIndex {
    return this.#first[slot]!;
  }

  /** Entries of the block. */
  entriesOf(slot: BlockSlot): number {
    return (slot + 1 < this.#end ? this.#first[slot + 1]! : this.#nextIndex) - this.#first[slot]!;
  }

  /** Term of the block's entries when they are commands all; else 0. */
  commandTermOf(slot: BlockSlot): Term {
    return this.#commandTerms[slot]!;
  }

  /** What the block's key says. */
  nameOf(slot: BlockSlot): BlockName {
    const [firstIndex, entries] = [this.firstIndexOf(slot), this.entriesOf(slot)];
    return { firstIndex, entries, commandTerm: this.commandTermOf(slot) };
  }

  /** Bytes of the value; 0 when unknown. */
  bytesOf(slot: BlockSlot): number {
    return this.#bytes[slot]!;
  }

  tombstonesOf(slot: BlockSlot): number {
    return this.#tombstones[slot]!;
  }

  /** Sets what is known of a block's value. */
  measure(slot: BlockSlot, bytes: number, tombstones: number): void {
    this.#bytes[slot] = bytes;
    this.#tombstones[slot] = tombstones;
  }

  /** The block has other entries than commands now. */
  mix(slot: BlockSlot): void {
    this.#commandTerms[slot] = 0;
  }

  /** The slot of the block that holds `index`, which must be in one. */
  find(index: LogIndex): BlockSlot {
    let low = this.#begin;
    let high = this.#end - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#first[middle]! <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Adds a block behind the last one. */
  push({ firstIndex, entries, commandTerm }: BlockName, bytes: number, tombstones: number): void {
    if (this.#end === this.#first.length) this.#makeRoom();
    this.#first[this.#end] = firstIndex;
    this.#commandTerms[this.#end] = commandTerm;
    this.measure(this.#end, bytes, tombstones);
    this.#end++;
    this.#nextIndex = firstIndex + entries;
  }

  /** Forgets the blocks before this slot. */
  dropBefore(slot: BlockSlot): void {
    this.#begin = slot;
  }

  /** Forgets this slot's block and all behind it. */
  dropFrom(slot: BlockSlot): void {
    if (slot >= this.#end) return;
    this.#nextIndex = this.#first[slot]!;
    this.#end = slot;
  }

  #makeRoom(): void {
    const { size } = this;
    // Half of the slots are free: move down instead of growing.
    const capacity = size * 2 <= this.#first.length ? this.#first.length : this.#first.length * 2;
    const moved = <T extends Float64Array | Uint32Array>(from: T, to: T): T => {
      to.set(from.subarray(this.#begin, this.#end));
      return to;
    };
    this.#first = moved(this.#first, new Float64Array(capacity));
    this.#commandTerms = moved(this.#commandTerms, new Float64Array(capacity));
    this.#bytes = moved(this.#bytes, new Uint32Array(capacity));
    this.#tombstones = moved(this.#tombstones, new Uint32Array(capacity));
    this.#begin = 0;
    this.#end = size;
  }
}
