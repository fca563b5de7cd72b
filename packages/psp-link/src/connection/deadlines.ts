import type { Clock, Timer } from '@discovery-raft/raft-core';

/**
 * Named moments, and one timer for the earliest of them. Moments are moved far more often than they are reached, so
 * putting one off costs nothing: the timer fires at the old moment, and is set anew.
 */
export class Deadlines<Name extends string> {
  readonly #clock: Clock;
  readonly #reached: (name: Name) => void;
  readonly #at = new Map<Name, number>();
  #timer: Timer | null = null;
  #timerAt = Infinity;

  /** @param reached called once for a moment that has come; it is forgotten before */
  constructor(clock: Clock, reached: (name: Name) => void) {
    this.#clock = clock;
    this.#reached = reached;
  }

  /** Sets or moves a moment, in milliseconds from now. @param now what the clock says, when it was asked already */
  set(name: Name, delayMs: number, now = this.#clock.now()): void {
    const at = now + delayMs;
    this.#at.set(name, at);
    if (at < this.#timerAt) this.#arm(at);
  }

  /** Whether a moment is set. */
  has(name: Name): boolean {
    return this.#at.has(name);
  }

  clear(name: Name): void {
    this.#at.delete(name);
  }

  clearAll(): void {
    this.#at.clear();
    this.#timer?.cancel();
    this.#timer = null;
    this.#timerAt = Infinity;
  }

  #arm(at: number): void {
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#clock.setTimer(at - this.#clock.now(), () => this.#fire());
  }

  #fire(): void {
    this.#timer = null;
    this.#timerAt = Infinity;
    const now = this.#clock.now();
    for (const [name, at] of [...this.#at]) {
      if (at > now || this.#at.get(name) !== at) continue;
      this.#at.delete(name);
      this.#reached(name);
    }
    const earliest = Math.min(...this.#at.values());
    if (earliest < this.#timerAt) this.#arm(earliest);
  }
}
