import fc from 'fast-check';
import { RankedPlaces } from '../src/directory/ranked-places.js';

function inOrder(places: RankedPlaces): (number | undefined)[] {
  return Array.from({ length: places.size + 1 }, (_, turn) => places.at(turn));
}

/** Some of so many places, and ranks of which many may be the same. */
function madeOf(count: number, seed: number, mask: number): { members: Uint32Array; ranks: Uint32Array } {
  const ranks = new Uint32Array(count);
  for (let at = 0, word = seed; at < count; at++) {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0;
    ranks[at] = word & mask;
  }
  return { members: Uint32Array.from(ranks.keys()).filter((at) => ranks[at]! % 3 !== 0), ranks };
}

describe('places by their ranks', () => {
  test('come in order, of one rank the lowest first, however many there are', () => {
    const masks = fc.constantFrom(0xffffffff, 0xff, 0xc0000000, 0x80000001);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20_000 }), fc.nat(), masks, (count, seed, mask) => {
        const { members, ranks } = madeOf(count, seed, mask);
        const sorted = [...members].sort((a, b) => ranks[a]! - ranks[b]! || a - b);
        expect(inOrder(new RankedPlaces(members, ranks, count))).toEqual([...sorted, undefined]);
      }),
      { numRuns: 40 },
    );
  });

  test('are none of none', () => {
    expect(inOrder(new RankedPlaces(new Uint32Array(0), new Uint32Array(0), 0))).toEqual([undefined]);
  });

  test('may be asked for in any order of turns', () => {
    const { members, ranks } = madeOf(10_000, 7, 0xffffffff);
    const [late, early] = [new RankedPlaces(members, ranks, 10_000), new RankedPlaces(members, ranks, 10_000)];
    const last = late.at(late.size - 1);
    expect(inOrder(late)).toEqual(inOrder(early));
    expect(early.at(early.size - 1)).toBe(last);
  });
});
