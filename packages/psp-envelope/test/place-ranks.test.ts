import { rankSteps } from '../src/directory/place-ranks.js';
import { runSteps } from '../src/steps.js';

function ranks(count: number, ...words: number[]): number[] {
  const digest = new DataView(new ArrayBuffer(32));
  words.forEach((word, i) => digest.setUint32(i * 4, word));
  return [...runSteps(rankSteps(count, new Uint8Array(digest.buffer), 4))];
}

describe('the ranks of places', () => {
  test('are the numbers that xoshiro128** gives for the state 1, 2, 3, 4', () => {
    expect(ranks(10, 1, 2, 3, 4)).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  test('are the same for a digest that lies somewhere in a larger buffer', () => {
    const digest = Uint8Array.from({ length: 32 }, (_, i) => i * 37);
    const moved = new Uint8Array(64);
    moved.set(digest, 5);
    expect(runSteps(rankSteps(100, moved.subarray(5, 37), 7))).toEqual(runSteps(rankSteps(100, digest, 100)));
  });

  test('are no zeros alone for a digest that begins with zeros', () => {
    expect(new Set(ranks(100)).size).toBeGreaterThan(90);
  });
});
