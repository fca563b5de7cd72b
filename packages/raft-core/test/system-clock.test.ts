// The machine's clock: what its timers do differently.
import { systemClock } from '../src/index.js';

afterEach(() => jest.useRealTimers());

const DAY_MS = 86_400_000;

test.each([
  ['a month', 30 * DAY_MS],
  ['fifty days and a bit', 50 * DAY_MS + 0.5],
])('a timer of %s, which is more than the machine can count, fires when it is over', (_, delayMs) => {
  jest.useFakeTimers();
  let fired = 0;
  systemClock.setTimer(delayMs, () => fired++);
  jest.advanceTimersByTime(delayMs - 1);
  expect(fired).toBe(0);
  jest.advanceTimersByTime(2);
  expect(fired).toBe(1);
  expect(jest.getTimerCount()).toBe(0);
});

test('a timer of infinity never fires, and can be cancelled on the way', () => {
  jest.useFakeTimers();
  let fired = 0;
  const timer = systemClock.setTimer(Infinity, () => fired++);
  jest.advanceTimersByTime(365 * DAY_MS);
  expect(fired).toBe(0);
  timer.cancel();
  expect(jest.getTimerCount()).toBe(0);
});
