import type { Timekeeper } from './timekeeper.js';

/** Timers by what they are for: setting one calls the one before it of that name off. */
export class NamedTimers {
  readonly #time: Timekeeper;
  readonly #cancels = new Map<string, () => void>();

  constructor(time: Timekeeper) {
    this.#time = time;
  }

  set(name: string, seconds: number, callback: () => void): void {
    this.cancel(name);
    const cancel = this.#time.setTimer(seconds, () => {
      this.#cancels.delete(name);
      callback();
    });
    this.#cancels.set(name, cancel);
  }

  cancel(name: string): void {
    this.#cancels.get(name)?.();
    this.#cancels.delete(name);
  }

  cancelAll(): void {
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
  }
}
