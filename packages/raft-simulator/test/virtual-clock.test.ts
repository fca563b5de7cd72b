import { ProcessClock } from '../src/time/process-clock.js';
import { VirtualClock } from '../src/time/virtual-clock.js';

const run = (clock: VirtualClock, endMs: number): Promise<void> =>
  clock.run(
    endMs,
    () => {},
    () => false,
  );

describe('VirtualClock', () => {
  test('runs what is due in order of time, then of the calls', async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    for (const [ms, name] of [
      [5, 'c'],
      [1, 'a'],
      [5, 'd'],
      [3, 'b'],
      [20, 'never'],
    ] as const) {
      clock.schedule(ms, () => seen.push(`${name}@${clock.now}`));
    }
    await run(clock, 10);
    expect(seen).toEqual(['a@1', 'b@3', 'c@5', 'd@5']);
    expect(clock.now).toBe(10);
  });

  test('promise reactions run to their end between two callbacks', async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    clock.schedule(1, () => {
      void (async () => {
        for (let i = 0; i < 20; i++) await Promise.resolve();
        seen.push('reactions');
      })();
    });
    clock.schedule(1, () => seen.push('next'));
    await run(clock, 2);
    expect(seen).toEqual(['reactions', 'next']);
  });

  test('hands on what a callback throws', async () => {
    const clock = new VirtualClock();
    clock.schedule(1, () => {
      throw new Error('as planned');
    });
    await expect(run(clock, 2)).rejects.toThrow('as planned');
  });
});

describe('ProcessClock', () => {
  test('a timer is never early on a clock that runs fast or slow', async () => {
    for (const rate of [0.95, 1, 1.05]) {
      const world = new VirtualClock();
      const clock = new ProcessClock(world, { rate, offsetMs: 123, wallStartMs: 0 }, () => {});
      const begin = clock.now();
      let late = NaN;
      clock.setTimer(333.3, () => {
        late = clock.now() - begin - 333.3;
      });
      await run(world, 1000);
      expect(late).toBeGreaterThanOrEqual(0);
      expect(late).toBeLessThan(0.01);
    }
  });

  test('a paused process does everything later, a dead one nothing', async () => {
    const world = new VirtualClock();
    const clock = new ProcessClock(world, { rate: 1, offsetMs: 0, wallStartMs: 0 }, () => {});
    const seen: number[] = [];
    clock.setTimer(10, () => seen.push(world.now));
    clock.pause();
    await run(world, 50);
    expect(seen).toEqual([]);
    clock.resume();
    await run(world, 60);
    expect(seen).toEqual([50]);
    clock.setTimer(10, () => seen.push(world.now));
    clock.kill();
    await run(world, 100);
    expect(seen).toEqual([50]);
  });
});
