import type { LogIndex } from '@discovery-raft/raft-core';
import { BLOCK_HEAD_BYTES, TOMBSTONE_BYTES } from './block-format.js';
import type { BlockIndex, BlockSlot } from './block-index.js';
import type { BlockReader } from './block-reader.js';
import type { RedactionPlan, Redactions } from './redactions.js';

/** A block is rewritten when that gives back at least this share of its pages. */
const MIN_GAIN = 1 / 6;
/**
 * Bytes of blocks that one call rewrites for each byte that dies in it; on average it is nearly four. Many blocks that are due at
 * once, as when a log that was filled once begins to be updated, take turns: what a commit gives back is free for the commit
 * after the next one only, so that a large commit makes the file grow by what it writes.
 */
const REWRITTEN_PER_DEAD_BYTE = 5;
/** A call may rewrite this much in any case. */
const MIN_REWRITTEN_BYTES = 128 << 10;

/** LMDB gives a value above half a page whole pages, with a head of its own before it. */
const PAGE_BYTES = 4096;
const VALUE_HEAD_BYTES = 24;

/**
 * Which blocks a redaction rewrites. Each rewriting takes at least a sixth of a block's pages away, so all of them together
 * write at most five times what the block had once, and the log holds at most 6/5 of what is alive, beside whole pages.
 *
 * When more tombstones wait than may, the blocks with the most of them are rewritten whatever that gives back.
 */
export class RewriteChoice {
  readonly #redactions: Redactions;
  readonly #index: BlockIndex;
  readonly #blocks: BlockReader;
  readonly #maxWaiting: number;
  /** Blocks that are due, but have to wait for their turn. */
  readonly #postponed = new Set<LogIndex>();

  /** @param maxWaiting most tombstones that may wait outside their blocks */
  constructor(redactions: Redactions, index: BlockIndex, blocks: BlockReader, maxWaiting: number) {
    this.#redactions = redactions;
    this.#index = index;
    this.#blocks = blocks;
    this.#maxWaiting = maxWaiting;
  }

  /** @param plan has all tombstones of the call, and has dropped no block yet */
  choose(plan: RedactionPlan): BlockSlot[] {
    const chosen = this.#worthIt(plan);
    let waiting = plan.countAfter;
    for (const blockIndex of chosen.keys()) waiting -= plan.countOf(blockIndex);
    if (waiting <= this.#maxWaiting) return [...chosen.values()];
    const candidates = new Set([...this.#redactions.fullestBlocks(), ...plan.fresh.keys()]);
    for (const blockIndex of candidates) {
      // Some more than needed, so that the next call need not do the same again.
      if (waiting <= this.#maxWaiting * 0.9) break;
      if (chosen.has(blockIndex)) continue;
      chosen.set(blockIndex, this.#index.find(blockIndex));
      waiting -= plan.countOf(blockIndex);
    }
    return [...chosen.values()];
  }

  #worthIt(plan: RedactionPlan): Map<LogIndex, BlockSlot> {
    const chosen = new Map<LogIndex, BlockSlot>();
    let deadBytes = 0;
    for (const [blockIndex, fresh] of plan.fresh)
      deadBytes += fresh.size * this.#bytesOfOne(this.#measured(blockIndex));
    let left = Math.max(MIN_REWRITTEN_BYTES, REWRITTEN_PER_DEAD_BYTE * deadBytes);
    for (const blockIndex of new Set([...this.#postponed, ...plan.fresh.keys()])) {
      this.#postponed.delete(blockIndex);
      // Rewritten meanwhile, or cut off.
      if (plan.countOf(blockIndex) === 0) continue;
      const slot = this.#measured(blockIndex);
      const bytes = this.#index.bytesOf(slot);
      if (pagesOf(bytes) - pagesOf(bytes - this.#gainBytes(slot, plan.countOf(blockIndex))) < MIN_GAIN * pagesOf(bytes))
        continue;
      if (left <= 0) {
        this.#postponed.add(blockIndex);
        continue;
      }
      chosen.set(blockIndex, slot);
      left -= bytes;
    }
    return chosen;
  }

  #measured(blockIndex: LogIndex): BlockSlot {
    const slot = this.#index.find(blockIndex);
    if (this.#index.bytesOf(slot) === 0) this.#blocks.measure(slot);
    return slot;
  }

  /** About how many bytes a block gives back when that many of its entries become tombstones. */
  #gainBytes(slot: BlockSlot, dead: number): number {
    const alive = this.#index.entriesOf(slot) - this.#index.tombstonesOf(slot);
    return Math.min(dead, alive) * (this.#bytesOfOne(slot) - TOMBSTONE_BYTES);
  }

  /** Bytes of an entry of the block that is no tombstone, on average; those of a tombstone when there is none. */
  #bytesOfOne(slot: BlockSlot): number {
    const tombstones = this.#index.tombstonesOf(slot);
    const alive = this.#index.entriesOf(slot) - tombstones;
    if (alive === 0) return TOMBSTONE_BYTES;
    return (this.#index.bytesOf(slot) - BLOCK_HEAD_BYTES - tombstones * TOMBSTONE_BYTES) / alive;
  }
}

/** Whole pages of a value; small ones share a page, which does not count here. */
function pagesOf(bytes: number): number {
  return Math.ceil((bytes + VALUE_HEAD_BYTES) / PAGE_BYTES);
}
