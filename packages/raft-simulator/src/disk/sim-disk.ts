import type { MaybePromise } from '@discovery-raft/raft-core';
import type { Dice } from '../scenario/dice.js';
import type { ProcessClock } from '../time/process-clock.js';
import type { DiskWrite } from './platter.js';
import { Platter } from './platter.js';

/** How a disk behaves over a whole simulation. */
export interface DiskProfile {
  /** It answers at once and never loses anything, as a store in memory does. */
  readonly immediate: boolean;
  /** Mean time of a write. */
  readonly writeMs: number;
  /** Mean time of a read; 0 answers reads at once. */
  readonly readMs: number;
}

/** What goes wrong with a disk at the moment. */
export interface DiskFaults {
  /** Chance that a write fails; the process must not write after that. */
  writeFailure: number;
  /** Chance that a read fails. */
  readFailure: number;
  /** Chance that the process is killed while a write is under way. */
  crash: number;
  /** Nothing completes before this moment of the simulation. */
  stalledUntilMs: number;
  /** So much more a write takes before that moment, on average, than it otherwise would. */
  slowedByMs: number;
  slowedUntilMs: number;
}

/** A disk on which nothing goes wrong. */
export const NO_DISK_FAULTS: Readonly<DiskFaults> = {
  writeFailure: 0,
  readFailure: 0,
  crash: 0,
  stalledUntilMs: 0,
  slowedByMs: 0,
  slowedUntilMs: 0,
};

/** How often a stalled operation looks whether the stall is over. */
const STALL_STEP_MS = 20;

/** A write takes at most so many times what it takes on average, unless a fault makes it slower. */
const LONGEST_WRITE = 2;

/** Names of the three stores; writes to one of the first two must not overlap. */
export type StoreName = 'log' | 'stable' | 'snapshot';

/** What the disk tells the simulation. */
export interface DiskEvents {
  written(write: DiskWrite): void;
  /** A process broke the contract of a store. */
  misused(what: string): void;
  /** A fault was injected that the process will notice. */
  failed(store: StoreName): void;
  /** The process is to be killed in the middle of this write. */
  crashDue(): void;
}

interface Running {
  readonly store: StoreName;
  /** Does a part of the write, from 0 (nothing) to 1 (all). */
  readonly perform: (part: number) => void;
}

/**
 * One server's disk. A write takes time; a crash in between leaves nothing of it, all of it, or a part: nothing that was
 * confirmed is ever lost.
 */
export class SimDisk {
  readonly platter: Platter;
  readonly faults: DiskFaults = { ...NO_DISK_FAULTS };
  readonly #profile: DiskProfile;
  readonly #dice: Dice;
  readonly #worldNow: () => number;
  readonly #events: DiskEvents;

  constructor(profile: DiskProfile, dice: Dice, worldNow: () => number, events: DiskEvents) {
    this.platter = new Platter((write) => events.written(write));
    this.#profile = profile;
    this.#dice = dice;
    this.#worldNow = worldNow;
    this.#events = events;
  }

  /** Gives the disk to a process. */
  open(clock: ProcessClock): DiskSession {
    return new DiskSession({
      platter: this.platter,
      faults: this.faults,
      profile: this.#profile,
      dice: this.#dice,
      worldNow: this.#worldNow,
      events: this.#events,
      clock,
    });
  }
}

interface SessionParts {
  readonly platter: Platter;
  readonly faults: DiskFaults;
  readonly profile: DiskProfile;
  readonly dice: Dice;
  readonly worldNow: () => number;
  readonly events: DiskEvents;
  readonly clock: ProcessClock;
}

/** A disk as one process uses it. */
export class DiskSession {
  readonly platter: Platter;
  readonly #parts: SessionParts;
  readonly #running = new Set<Running>();
  readonly #broken = new Set<StoreName>();

  constructor(parts: SessionParts) {
    this.platter = parts.platter;
    this.#parts = parts;
  }

  /** Writes under way. */
  get busy(): boolean {
    return this.#running.size > 0;
  }

  write(store: StoreName, perform: (part: number) => void): MaybePromise<void> {
    const { events, faults, profile, dice } = this.#parts;
    this.#checkUse(store);
    const fails = dice.chance(faults.writeFailure);
    const slowedByMs = this.#slowedByMs();
    if (profile.immediate && !fails && slowedByMs === 0 && !this.#stalledMs()) {
      perform(1);
      return;
    }
    if (dice.chance(faults.crash)) events.crashDue();
    const job: Running = { store, perform };
    this.#running.add(job);
    return new Promise((resolve, reject) => {
      // Not longer than that by itself: several in a row would be taken for a disk that is stuck, and rightly so.
      const ms = profile.immediate ? 0 : Math.min(dice.exponential(profile.writeMs), profile.writeMs * LONGEST_WRITE);
      this.#later(slowedByMs === 0 ? ms : ms + dice.exponential(slowedByMs), () => {
        this.#running.delete(job);
        if (fails) {
          if (store !== 'snapshot') this.#broken.add(store);
          events.failed(store);
          perform(dice.pick([0, dice.next(), 1]));
          reject(new Error(`injected: a write to the ${store} store failed`));
        } else {
          perform(1);
          resolve();
        }
      });
    });
  }

  read<T>(store: StoreName, get: () => T): MaybePromise<T> {
    const { events, faults, profile, dice } = this.#parts;
    const fails = dice.chance(faults.readFailure);
    if (profile.readMs === 0 && !fails && !this.#stalledMs()) return get();
    return new Promise((resolve, reject) => {
      this.#later(dice.exponential(profile.readMs), () => {
        if (fails) {
          events.failed(store);
          return reject(new Error(`injected: a read of the ${store} store failed`));
        }
        try {
          resolve(get());
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
  }

  /** Reports that the process broke the contract of a store. */
  misused(what: string): void {
    this.#parts.events.misused(what);
  }

  /** The process was killed: what was under way may have happened. */
  crash(): void {
    const { dice } = this.#parts;
    for (const { perform } of this.#running) perform(dice.pick([0, dice.next(), 1]));
    this.#running.clear();
  }

  #checkUse(store: StoreName): void {
    if (store === 'snapshot') return;
    const { events } = this.#parts;
    if (this.#broken.has(store)) events.misused(`a write to the ${store} store after one had failed`);
    for (const { store: other } of this.#running) {
      if (other === store) events.misused(`a write to the ${store} store while another one is under way`);
    }
  }

  #stalledMs(): number {
    return Math.max(0, this.#parts.faults.stalledUntilMs - this.#parts.worldNow());
  }

  #slowedByMs(): number {
    const { faults, worldNow } = this.#parts;
    return faults.slowedByMs > 0 && worldNow() < faults.slowedUntilMs ? faults.slowedByMs : 0;
  }

  #later(ms: number, callback: () => void): void {
    this.#parts.clock.setTimer(ms, () => {
      // Looks often, since a stall may end before its time.
      if (this.#stalledMs() > 0) this.#later(Math.min(STALL_STEP_MS, this.#stalledMs()), callback);
      else callback();
    });
  }
}
