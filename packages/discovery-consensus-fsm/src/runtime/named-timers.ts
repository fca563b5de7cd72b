import type { Timekeeper } from './timekeeper.js';

/** Timers by what they are for: setting one calls the one before it of that name off. */
export class NamedTimers {
  readonly #time: Timekeeper;
  readonly #cancels = new Map<string, () => void>();
  #closed = false;

  constructor(time: Timekeeper) {
    this.#time = time;
  }

  set(name: string, seconds: number, callback: () => void): void {
    this.cancel(name);
    if (this.#closed) return;
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

  /** Calls all off; none is set any more. */
  close(): void {
    this.#closed = true;
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
  }
}
