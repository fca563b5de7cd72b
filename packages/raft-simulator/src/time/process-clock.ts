import type { Clock, Timer } from '@discovery-raft/raft-core';
import type { VirtualClock } from './virtual-clock.js';

/** How a machine's clock differs from the simulation's. */
export interface Skew {
  /** Milliseconds that its clock counts in one millisecond; near 1. */
  readonly rate: number;
  readonly offsetMs: number;
  /** Unix milliseconds of its wall clock when the simulation begins. */
  readonly wallStartMs: number;
}

/** Smallest step of a machine's clock; a timer is late by up to two of them, never early. */
const GRAIN_MS = 0.001;

/**
 * The clock and event loop of one process: what one incarnation of a node sees of time. A process that is paused does
 * everything late; one that was killed does nothing any more, whatever its promises wait for.
 */
export class ProcessClock implements Clock {
  readonly #world: VirtualClock;
  readonly #skew: Skew;
  readonly #ran: () => void;
  #dead = false;
  #paused = false;
  #backlog: (() => void)[] = [];

  /** @param ran told after each callback that the process ran */
  constructor(world: VirtualClock, skew: Skew, ran: () => void) {
    this.#world = world;
    this.#skew = skew;
    this.#ran = ran;
  }

  get dead(): boolean {
    return this.#dead;
  }

  get paused(): boolean {
    return this.#paused;
  }

  now(): number {
    return this.#skew.offsetMs + Math.round((this.#world.now * this.#skew.rate) / GRAIN_MS) * GRAIN_MS;
  }

  wallNow(): number {
    return Math.floor(this.#skew.wallStartMs + this.#world.now);
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const item = this.#world.schedule(Math.max(0, delayMs) / this.#skew.rate + 2 * GRAIN_MS, () => {
      this.run(() => {
        if (!item.cancelled) callback();
      });
    });
    return {
      cancel: () => {
        item.cancelled = true;
      },
    };
  }

  defer(callback: () => void): void {
    this.#world.schedule(0, () => this.run(callback));
  }

  /** Something from outside reaches the process: now, after its pause, or never when it is dead. */
  run(callback: () => void): void {
    if (this.#dead) return;
    if (this.#paused) {
      this.#backlog.push(callback);
      return;
    }
    callback();
    this.#ran();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const backlog = this.#backlog;
    this.#backlog = [];
    for (const callback of backlog) this.#world.schedule(0, () => this.run(callback));
  }

  kill(): void {
    this.#dead = true;
    this.#backlog = [];
  }
}
