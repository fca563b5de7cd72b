import fc from 'fast-check';
import { majority, reachedByQuorum, tally, type Tally } from '../../src/core/quorum.js';

const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const group = fc.subarray(ids, { minLength: 1 });
const groups = fc.array(group, { minLength: 1, maxLength: 2 });

/** All ways to pick members of a group. */
function subsets(members: readonly string[]): string[][] {
  return members.reduce<string[][]>((all, id) => [...all, ...all.map((some) => [...some, id])], [[]]);
}

/** Sets of servers any two of which share a member of every group: more than half of each. */
function isQuorum(all: readonly (readonly string[])[], some: readonly string[]): boolean {
  return all.every((members) => {
    const inside = members.filter((id) => some.includes(id)).length;
    return inside > members.length - inside;
  });
}

/** Tries every candidate value from the top, by the definition. */
function naiveReached(all: readonly (readonly string[])[], values: ReadonlyMap<string, number>): number {
  const candidates = [...new Set(values.values())];
  let best = -1;
  for (const candidate of candidates) {
    const reached = ids.filter((id) => (values.get(id) ?? 0) >= candidate);
    if (isQuorum(all, reached) && candidate > best) best = candidate;
  }
  return best;
}

/** Tries every way in which the missing votes can go. */
function naiveTally(all: readonly (readonly string[])[], votes: ReadonlyMap<string, boolean>): Tally {
  const granted = ids.filter((id) => votes.get(id) === true);
  if (isQuorum(all, granted)) return 'won';
  const open = ids.filter((id) => !votes.has(id));
  return subsets(open).some((more) => isQuorum(all, [...granted, ...more])) ? 'open' : 'lost';
}

describe('quorum', () => {
  test('a majority is more than half, in even clusters too', () => {
    expect([1, 2, 3, 4, 5, 6, 7].map(majority)).toEqual([1, 2, 2, 3, 3, 4, 4]);
  });

  test('match indexes are compared as numbers, not as text', () => {
    const match = new Map([
      ['a', 9],
      ['b', 10],
      ['c', 100],
    ]);
    expect(reachedByQuorum([['a', 'b', 'c']], (id) => match.get(id)!)).toBe(10);
  });

  test('what a quorum has reached is what the definition says, for one group and for two', () => {
    fc.assert(
      fc.property(groups, fc.tuple(...ids.map(() => fc.nat(120))), (all, list) => {
        const values = new Map(ids.map((id, i) => [id, list[i]!]));
        expect(reachedByQuorum(all, (id) => values.get(id)!)).toBe(naiveReached(all, values));
      }),
      { seed: 2, numRuns: 500 },
    );
  });

  test('a tally is what the definition says, for one group and for two', () => {
    const vote = fc.option(fc.boolean());
    fc.assert(
      fc.property(groups, fc.tuple(...ids.map(() => vote)), (all, list) => {
        const votes = new Map(ids.flatMap((id, i) => (list[i] === null ? [] : [[id, list[i]!] as const])));
        expect(tally(all, votes)).toBe(naiveTally(all, votes));
      }),
      { seed: 3, numRuns: 500 },
    );
  });

  test('two quorums of one group always share a server', () => {
    fc.assert(
      fc.property(group, (members) => {
        const quorums = subsets(members).filter((some) => some.length >= majority(members.length));
        for (const one of quorums) for (const other of quorums) expect(one.some((id) => other.includes(id))).toBe(true);
      }),
      { seed: 4, numRuns: 30 },
    );
  });

  test('votes of strangers do not count', () => {
    const votes = new Map([
      ['a', true],
      ['x', true],
      ['y', true],
    ]);
    expect(tally([['a', 'b', 'c']], votes)).toBe('open');
  });
});
