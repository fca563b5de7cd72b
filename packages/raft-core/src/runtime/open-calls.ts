import type { RaftError } from '../core/errors.js';

/** Somebody who waits. */
export interface Deferred<T> {
  resolve(value: T): void;
  reject(error: RaftError): void;
}

/** Calls that wait for the core's answer, by the number under which it was asked. */
export class OpenCalls<T> {
  readonly #calls = new Map<number, Deferred<T>>();
  #lastId = 0;

  /** Opens a call; `ask` asks the core for it under this number, which is never 0. */
  open(ask: (id: number) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#calls.set(id, { resolve, reject });
      ask(id);
    });
  }

  /** The answer to a call that is still open; undefined when nobody waits any more. */
  take(id: number): Deferred<T> | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    return call;
  }

  rejectAll(error: RaftError): void {
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
  }
}
