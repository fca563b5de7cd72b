import type { WallClock } from '@discovery-raft/discovery-consensus-fsm';
import type { Timer } from '@discovery-raft/raft-core';
import type { ProcessClock } from '../../time/process-clock.js';

interface Alarm {
  readonly atSeconds: number;
  readonly callback: () => void;
  timer: Timer | undefined;
}

/** Time of day as one process sees it: what the machine's clock says, which can be wrong and can be set. */
export class SimWallClock implements WallClock {
  readonly #process: ProcessClock;
  readonly #read: () => number;
  readonly #alarms = new Set<Alarm>();

  /** @param read Unix seconds by the machine's clock */
  constructor(process: ProcessClock, read: () => number) {
    this.#process = process;
    this.#read = read;
  }

  now(): number {
    return this.#read();
  }

  setTimerAt(unixSeconds: number, callback: () => void): () => void {
    const alarm: Alarm = { atSeconds: unixSeconds, callback, timer: undefined };
    this.#alarms.add(alarm);
    this.#arm(alarm);
    return () => {
      alarm.timer?.cancel();
      this.#alarms.delete(alarm);
    };
  }

  /** The machine's clock was set: what waits for a time of day waits for the new one. */
  adjusted(): void {
    for (const alarm of [...this.#alarms]) {
      alarm.timer?.cancel();
      this.#arm(alarm);
    }
  }

  #arm(alarm: Alarm): void {
    const waitMs = Math.max(0, (alarm.atSeconds - this.#read()) * 1000);
    alarm.timer = this.#process.setTimer(waitMs, () => {
      if (this.#read() < alarm.atSeconds) return this.#arm(alarm);
      this.#alarms.delete(alarm);
      alarm.callback();
    });
  }
}
