import type { Observation, RaftEvents } from '../core/observations.js';
import type { TypedEvents } from './typed-events.js';

/** Keeps what the core observed until its state has settled, so that an observer never sees one without the other. */
export class EventQueue {
  readonly #events: TypedEvents<RaftEvents>;
  #waiting: Observation[] = [];

  constructor(events: TypedEvents<RaftEvents>) {
    this.#events = events;
  }

  add(observation: Observation): void {
    this.#waiting.push(observation);
  }

  /** Tells observers what happened, also what happens meanwhile. */
  tell(): void {
    while (this.#waiting.length > 0) {
      const observations = this.#waiting;
      this.#waiting = [];
      for (const { event, payload } of observations) this.#events.emit(event, payload);
    }
  }
}
