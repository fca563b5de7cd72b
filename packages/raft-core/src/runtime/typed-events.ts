import { EventEmitter } from 'eventemitter3';
import type { Logger } from '../ports/logger.js';
import { EventQueue, type ObserveOptions, type Observer } from './observer.js';

/**
 * Typed events on eventemitter3, for listeners and for observers that iterate. A listener that throws harms nobody else:
 * the error goes to the log.
 */
export class TypedEvents<Events extends object> {
  readonly #emitter = new EventEmitter();
  readonly #logger: Logger;
  readonly #queues = new Set<{ close(): void }>();
  #closed = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  on<K extends keyof Events & string>(event: K, listener: (payload: Events[K]) => void): void {
    this.#emitter.on(event, listener);
  }

  off<K extends keyof Events & string>(event: K, listener: (payload: Events[K]) => void): void {
    this.#emitter.off(event, listener);
  }

  /** The events of a kind from now on. @throws RaftError RAFT_INVALID_OPTION */
  observe<K extends keyof Events & string>(event: K, options: ObserveOptions<Events[K]>): Observer<Events[K]> {
    const queue = new EventQueue<Events[K]>(
      {
        subscribe: (listener) => this.on(event, listener),
        unsubscribe: (listener) => {
          this.off(event, listener);
          this.#queues.delete(queue);
        },
      },
      options,
    );
    if (this.#closed) queue.close();
    else if (!queue.ended) this.#queues.add(queue);
    return queue;
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

  /** No more events come: observers end when they have taken what waits for them. Listeners stay. */
  close(): void {
    this.#closed = true;
    for (const queue of [...this.#queues]) queue.close();
  }
}
