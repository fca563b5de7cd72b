import type { WallClock } from '@discovery-raft/discovery-consensus-fsm';
import { systemClock, type Clock } from '@discovery-raft/raft-core';
import { ManualWallClock, wallClockOf } from '../time/wall-clock.js';

/** The clocks of a process. Timers always run in real time; the time of day need not. */
export interface NodeClocks {
  readonly clock: Clock;
  readonly wall: WallClock;
  /** Null in real time. */
  readonly manual: ManualWallClock | null;
}

/**
 * The machine's clock, with an offset of the time of day; or a time of day that stands still until it is set, for
 * demonstrations that pass a day in a minute.
 *
 * @param manualStart Unix seconds at which a manual clock begins; null for real time
 */
export function nodeClocks(offsetSeconds: number, manualStart: number | null): NodeClocks {
  if (manualStart !== null) {
    const manual = new ManualWallClock(manualStart);
    return { clock: clockWith(() => manual.now() * 1000), wall: manual, manual };
  }
  const clock = offsetSeconds === 0 ? systemClock : clockWith(() => systemClock.wallNow() + offsetSeconds * 1000);
  return { clock, wall: wallClockOf(clock), manual: null };
}

function clockWith(wallNow: () => number): Clock {
  return {
    now: () => systemClock.now(),
    wallNow,
    setTimer: (delayMs, callback) => systemClock.setTimer(delayMs, callback),
    defer: (callback) => systemClock.defer(callback),
  };
}
