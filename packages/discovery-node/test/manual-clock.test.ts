import { ManualClock } from '../src/index.js';

describe('ManualClock', () => {
  test('stands still, jumps forward, and never back', () => {
    const clock = new ManualClock(100);
    clock.jumpTo(90);
    expect(clock.seconds).toBe(100);
    clock.jumpTo(150.5);
    expect([clock.seconds, clock.wallNow(), clock.now()]).toEqual([150.5, 150_500, 150_500]);
  });

  test('calls what has fallen due in order of time, then of asking, at the new time', () => {
    const clock = new ManualClock(0);
    const calls: [string, number][] = [];
    const call = (name: string) => (): void => void calls.push([name, clock.seconds]);
    clock.setTimer(20_000, call('twenty'));
    clock.setTimer(10_000, call('ten'));
    clock.setTimer(10_000, call('ten again'));
    clock.setTimer(31_000, call('later'));
    clock.jumpTo(30);
    expect(calls).toEqual([
      ['ten', 30],
      ['ten again', 30],
      ['twenty', 30],
    ]);
    clock.jumpTo(31);
    expect(calls.at(-1)).toEqual(['later', 31]);
    clock.jumpTo(1000);
    expect(calls).toHaveLength(4);
  });

  test('what a callback calls off is not called; what it asks for waits for the next jump', () => {
    const clock = new ManualClock(0);
    const calls: string[] = [];
    clock.setTimer(1000, () => {
      calls.push('first');
      second.cancel();
      clock.setTimer(1000, () => calls.push('asked for'));
    });
    const second = clock.setTimer(2000, () => calls.push('second'));
    clock.jumpTo(5);
    expect(calls).toEqual(['first']);
    clock.jumpTo(6);
    expect(calls).toEqual(['first', 'asked for']);
  });
});
