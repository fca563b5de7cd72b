import type { ConsensusClock } from '@discovery-raft/discovery-consensus-fsm';
import { systemClock, type Clock } from '@discovery-raft/raft-core';
import { ManualClock } from '../time/manual-clock.js';

/** The clocks of a process. Raft's timers always run in real time; those of the consensus need not. */
export interface NodeClocks {
  readonly clock: Clock;
  readonly consensus: ConsensusClock;
  /** Null in real time. */
  readonly manual: ManualClock | null;
}

/**
 * The machine's clock, with an offset of the time of day; or a time of day that stands still until it is set, for
 * demonstrations that pass a day in a minute.
 *
 * @param manualStart Unix seconds at which a manual clock begins; null for real time
 */
export function nodeClocks(offsetSeconds: number, manualStart: number | null): NodeClocks {
  if (manualStart !== null) {
    const manual = new ManualClock(manualStart);
    return { clock: clockWith(() => manual.wallNow()), consensus: manual, manual };
  }
  const clock = offsetSeconds === 0 ? systemClock : clockWith(() => systemClock.wallNow() + offsetSeconds * 1000);
  return { clock, consensus: clock, manual: null };
}

function clockWith(wallNow: () => number): Clock {
  return {
    now: () => systemClock.now(),
    wallNow,
    setTimer: (delayMs, callback) => systemClock.setTimer(delayMs, callback),
    defer: (callback) => systemClock.defer(callback),
  };
}
