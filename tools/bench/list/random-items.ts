import type { Random } from '@discovery-raft/raft-core';

/** So many different items of the first `items`, at random. */
export function differentItems(random: Random, count: number, items: number): number[] {
  const chosen = new Set<number>();
  while (chosen.size < count) chosen.add(Math.floor(random.next() * items));
  return [...chosen];
}
