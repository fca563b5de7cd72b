import { RaftError } from '../core/errors.js';
import type { Applied, Waiter } from './pending-proposals.js';

/** Somebody who waits for several proposals. */
export interface BatchCaller<Response> {
  resolve(applied: readonly Applied<Response>[]): void;
  reject(error: RaftError): void;
}

/**
 * Gathers what becomes of a batch for the one who waits for all of it. Entries of a batch stand behind each other in the
 * log, so those that were applied are always its first ones: the error of a batch that failed half way names them.
 */
export class BatchWaiter<Response> implements Waiter<Response> {
  readonly #results: Applied<Response>[] = [];
  readonly #size: number;
  readonly #caller: BatchCaller<Response>;
  #settled = false;

  /** @param size commands in the batch, at least 1 */
  constructor(size: number, caller: BatchCaller<Response>) {
    this.#size = size;
    this.#caller = caller;
  }

  /** The next command of the batch was applied. */
  resolve(applied: Applied<Response>): void {
    if (this.#settled) return;
    this.#results.push(applied);
    if (this.#results.length < this.#size) return;
    this.#settled = true;
    this.#caller.resolve(this.#results);
  }

  /** The next command will not be waited for, and with it the rest. */
  reject(error: RaftError): void {
    if (this.#settled) return;
    this.#settled = true;
    const results = [...this.#results];
    if (results.length === 0) return this.#caller.reject(error);
    const message = `${results.length} of ${this.#size} commands of a batch were applied; of the others: ${error.message}`;
    this.#caller.reject(new RaftError(error.code, message, { ...error.details, results }, error));
  }
}
