import type { Observation, RaftEvents } from '../core/observations.js';
import type { TypedEvents } from './typed-events.js';

/** Keeps what the core observed until its state has settled, so that an observer never sees one without the other. */
export class EventQueue {
  readonly #events: TypedEvents<RaftEvents>;
  #waiting: Observation[] = [];
  #telling = false;

  constructor(events: TypedEvents<RaftEvents>) {
    this.#events = events;
  }

  add(observation: Observation): void {
    this.#waiting.push(observation);
  }

  /**
   * Tells observers what happened, in order, also what happens meanwhile: a listener may call the node, and what comes of that
   * waits until all others have heard what it was told.
   *
   * @returns whether all is told; false within a listener
   */
  tell(): boolean {
    if (this.#telling) return false;
    this.#telling = true;
    try {
      while (this.#waiting.length > 0) {
        const observations = this.#waiting;
        this.#waiting = [];
        for (const { event, payload } of observations) this.#events.emit(event, payload);
      }
    } finally {
      this.#telling = false;
    }
    return true;
  }
}
