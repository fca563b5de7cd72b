import { EventEmitter } from 'eventemitter3';
import type { Logger } from '../ports/logger.js';

/** Typed events on eventemitter3, in which a listener that throws harms nobody else: the error goes to the log. */
export class TypedEvents<Events extends object> {
  readonly #emitter = new EventEmitter();
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  on<K extends keyof Events & string>(event: K, listener: (payload: Events[K]) => void): void {
    this.#emitter.on(event, listener);
  }

  off<K extends keyof Events & string>(event: K, listener: (payload: Events[K]) => void): void {
    this.#emitter.off(event, listener);
  }

  emit<K extends keyof Events & string>(event: K, payload: Events[K]): void {
    if (this.#emitter.listenerCount(event) === 0) return;
    for (const listener of this.#emitter.listeners(event)) {
      try {
        listener(payload);
      } catch (error) {
        this.#logger.error('a listener threw', { event, error });
      }
    }
  }
}
