import fc from 'fast-check';
import { ReplayWindow } from '../src/node/replay-window.js';

describe('ReplayWindow', () => {
  test('takes every id once, in whatever order two lanes bring them', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 4000 })), (ids) => {
        const window = new ReplayWindow();
        const seen = new Set<number>();
        for (const id of ids) {
          expect(window.take(id)).toBe(!seen.has(id));
          seen.add(id);
        }
      }),
    );
  });

  test('an id a window behind the highest counts as seen; one inside is still taken', () => {
    const window = new ReplayWindow();
    expect(window.take(10_000)).toBe(true);
    expect(window.take(10_000 - 4096)).toBe(false);
    expect(window.take(10_000 - 4095)).toBe(true);
  });

  test('what was seen is remembered after many more ids have come', () => {
    const window = new ReplayWindow();
    for (let id = 1; id <= 50_000; id++) expect(window.take(id)).toBe(true);
    for (const id of [1, 40_000, 49_000, 50_000]) expect(window.take(id)).toBe(false);
  });
});
