import type { Timekeeper } from './timekeeper.js';

/** What {@link within} gives when the time is over. */
export const LATE = Symbol('late');

/** A moment until which something may take. Setting the wall clock does not move it. */
export class Deadline {
  readonly #time: Timekeeper;
  /** By `elapsed`. */
  readonly #at: number;

  /** @param seconds from now */
  constructor(time: Timekeeper, seconds: number) {
    this.#time = time;
    this.#at = time.elapsed() + seconds;
  }

  get isOver(): boolean {
    return this.#time.elapsed() >= this.#at;
  }

  /** This moment, or the one in `seconds` when that is later. */
  butAtLeast(seconds: number): Deadline {
    return this.#time.elapsed() + seconds > this.#at ? new Deadline(this.#time, seconds) : this;
  }

  /** Calls back once it is over. @returns calls that off; idempotent */
  whenOver(callback: () => void): () => void {
    return this.#time.setTimer(this.#at - this.#time.elapsed(), callback);
  }
}

/** The promise's result, or {@link LATE} after the deadline. A rejection passes through; one that comes too late is dropped. */
export function within<T>(deadline: Deadline, promise: Promise<T>): Promise<T | typeof LATE> {
  return new Promise((resolve, reject) => {
    const cancel = deadline.whenOver(() => resolve(LATE));
    promise.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error: unknown) => {
        cancel();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
