import type { LogIndex } from '@discovery-raft/raft-core';
import { BLOCK_HEAD_BYTES, TOMBSTONE_BYTES } from './block-format.js';
import type { BlockIndex, BlockSlot } from './block-index.js';
import type { BlockReader } from './block-reader.js';
import type { RedactionPlan, Redactions } from './redactions.js';

/** A block is rewritten when that gives back at least this share of it. */
const MIN_GAIN = 0.25;

/**
 * Which blocks a redaction rewrites. Each rewriting takes at least a quarter of a block away, so all of them together write
 * at most three times what the block had once, and the log holds at most 4/3 of what is alive, beside whole pages.
 *
 * When more tombstones wait than may, the blocks with the most of them are rewritten whatever that gives back.
 */
export function chooseRewrites(
  plan: RedactionPlan,
  redactions: Redactions,
  index: BlockIndex,
  blocks: BlockReader,
  maxWaiting: number,
): BlockSlot[] {
  const chosen = new Map<LogIndex, BlockSlot>();
  for (const blockIndex of plan.fresh.keys()) {
    const slot = index.find(blockIndex);
    if (index.bytesOf(slot) === 0) blocks.measure(slot);
    if (gainBytes(index, slot, plan.countOf(blockIndex)) >= MIN_GAIN * index.bytesOf(slot))
      chosen.set(blockIndex, slot);
  }
  let waiting = plan.countAfter;
  for (const blockIndex of chosen.keys()) waiting -= plan.countOf(blockIndex);
  if (waiting <= maxWaiting) return [...chosen.values()];
  const candidates = new Set([...redactions.fullestBlocks(), ...plan.fresh.keys()]);
  for (const blockIndex of candidates) {
    // Some more than needed, so that the next call need not do the same again.
    if (waiting <= maxWaiting * 0.9) break;
    if (chosen.has(blockIndex)) continue;
    chosen.set(blockIndex, index.find(blockIndex));
    waiting -= plan.countOf(blockIndex);
  }
  return [...chosen.values()];
}

/** About how many bytes a block gives back when that many of its entries become tombstones. */
function gainBytes(index: BlockIndex, slot: BlockSlot, dead: number): number {
  const tombstones = index.tombstonesOf(slot);
  const alive = index.entriesOf(slot) - tombstones;
  if (alive === 0) return 0;
  const bytesOfOne = (index.bytesOf(slot) - BLOCK_HEAD_BYTES - tombstones * TOMBSTONE_BYTES) / alive;
  return Math.min(dead, alive) * (bytesOfOne - TOMBSTONE_BYTES);
}
