import fc from 'fast-check';
import { FreezableArray, type FrozenArray } from '../src/state/freezable-array.js';

describe('an array that is frozen', () => {
  it('stays as it was, however often the one that goes on is written to', () => {
    const step = fc.record({ at: fc.nat(700), freeze: fc.integer({ min: 0, max: 9 }).map((n) => n === 0) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const array = new FreezableArray<number>();
        const expected = Array.from({ length: 600 }, (_, i) => i);
        for (const value of expected) array.set(value, value);
        const frozen: { copy: FrozenArray<number>; expected: number[] }[] = [];
        for (const [i, { at, freeze }] of steps.entries()) {
          const place = Math.min(at, expected.length);
          array.set(place, -i);
          expected[place] = -i;
          if (freeze) frozen.push({ copy: array.freeze(), expected: [...expected] });
        }
        frozen.push({ copy: array.freeze(), expected });
        for (const { copy, expected: values } of frozen) {
          expect(values.map((_, i) => copy.get(i))).toEqual(values);
          expect(copy.get(values.length)).toBeUndefined();
        }
        expect(expected.map((_, i) => array.get(i))).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });
});
