import type { LogIndex, ServerId } from './types.js';

/** How many of `n` voters are a majority: more than half, for even n too. */
export function majority(n: number): number {
  return Math.floor(n / 2) + 1;
}

/** The greatest value that a majority of the group has reached; `valueOf` answers for each member. */
export function reachedByMajority(group: readonly ServerId[], valueOf: (id: ServerId) => number): number {
  if (group.length === 0) return Infinity;
  const values = group.map(valueOf);
  values.sort((a, b) => b - a);
  return values[majority(values.length) - 1]!;
}

/** The greatest value that a majority of every group has reached. */
export function reachedByQuorum(groups: readonly (readonly ServerId[])[], valueOf: (id: ServerId) => number): LogIndex {
  let result = Infinity;
  for (const group of groups) result = Math.min(result, reachedByMajority(group, valueOf));
  return result;
}

/** What an election has come to. */
export type Tally = 'won' | 'lost' | 'open';

/** Counts votes: won when a majority of every group granted, lost when in one group that cannot happen any more. */
export function tally(groups: readonly (readonly ServerId[])[], votes: ReadonlyMap<ServerId, boolean>): Tally {
  let result: Tally = 'won';
  for (const group of groups) {
    let granted = 0;
    let refused = 0;
    for (const id of group) {
      const vote = votes.get(id);
      if (vote === true) granted++;
      else if (vote === false) refused++;
    }
    if (group.length - refused < majority(group.length)) return 'lost';
    if (granted < majority(group.length)) result = 'open';
  }
  return result;
}
