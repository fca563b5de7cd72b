import { SimulatedClock } from '@discovery-raft/raft-core';
import { ManualWallClock, wallClockOf } from '../src/index.js';

describe('wallClockOf', () => {
  test('tells Unix seconds and calls back once, at the moment', async () => {
    const clock = new SimulatedClock(1_000_000);
    const wall = wallClockOf(clock);
    const calls: number[] = [];
    wall.setTimerAt(1_010.5, () => calls.push(wall.now()));
    await clock.advance(10_499);
    expect(calls).toEqual([]);
    await clock.advance(60_000);
    expect(calls).toEqual([1_010.5]);
  });

  test('what is past is called at once, but never before the caller has the handle', async () => {
    const clock = new SimulatedClock(1_000_000);
    const called = jest.fn();
    wallClockOf(clock).setTimerAt(5, called);
    expect(called).not.toHaveBeenCalled();
    await clock.advance(0);
    expect(called).toHaveBeenCalledTimes(1);
  });

  test('follows a clock that is set forward within a second', async () => {
    const clock = new SimulatedClock(0);
    const called = jest.fn();
    wallClockOf(clock).setTimerAt(3600, called);
    await clock.advance(10_000);
    clock.stepWall(3_600_000);
    await clock.advance(1000);
    expect(called).toHaveBeenCalledTimes(1);
  });

  test('follows a clock that is set back: nothing fires before its time', async () => {
    const clock = new SimulatedClock(0);
    const wall = wallClockOf(clock);
    const calls: number[] = [];
    wall.setTimerAt(60, () => calls.push(wall.now()));
    await clock.advance(59_500);
    clock.stepWall(-30_000);
    await clock.advance(10_000);
    expect(calls).toEqual([]);
    await clock.advance(30_000);
    expect(calls).toEqual([60]);
  });

  test('a timer that was called off stays silent, also when it has slept already', async () => {
    const clock = new SimulatedClock(0);
    const called = jest.fn();
    const cancel = wallClockOf(clock).setTimerAt(5, called);
    await clock.advance(3000);
    cancel();
    cancel();
    await clock.advance(10_000);
    expect(called).not.toHaveBeenCalled();
  });
});

describe('ManualWallClock', () => {
  test('stands still, jumps forward, and never back', () => {
    const wall = new ManualWallClock(100);
    wall.jumpTo(90);
    expect(wall.now()).toBe(100);
    wall.jumpTo(150.5);
    expect(wall.now()).toBe(150.5);
  });

  test('calls what has fallen due in order of time, then of asking, at the new time', () => {
    const wall = new ManualWallClock(0);
    const calls: [string, number][] = [];
    const call = (name: string) => (): void => void calls.push([name, wall.now()]);
    wall.setTimerAt(20, call('twenty'));
    wall.setTimerAt(10, call('ten'));
    wall.setTimerAt(10, call('ten again'));
    wall.setTimerAt(31, call('later'));
    wall.jumpTo(30);
    expect(calls).toEqual([
      ['ten', 30],
      ['ten again', 30],
      ['twenty', 30],
    ]);
    wall.jumpTo(31);
    expect(calls.at(-1)).toEqual(['later', 31]);
    wall.jumpTo(1000);
    expect(calls).toHaveLength(4);
  });

  test('what a callback calls off is not called; what it asks for waits for the next jump', () => {
    const wall = new ManualWallClock(0);
    const calls: string[] = [];
    wall.setTimerAt(1, () => {
      calls.push('first');
      cancelSecond();
      wall.setTimerAt(1, () => calls.push('asked for'));
    });
    const cancelSecond = wall.setTimerAt(2, () => calls.push('second'));
    wall.jumpTo(5);
    expect(calls).toEqual(['first']);
    wall.jumpTo(5);
    expect(calls).toEqual(['first', 'asked for']);
  });
});
