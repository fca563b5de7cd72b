import { RaftError } from '../core/errors.js';

/** Events that wait for an observer unless it says otherwise. */
const DEFAULT_BUFFER_EVENTS = 256;

/** How `Raft.observe` behaves. */
export interface ObserveOptions<T> {
  /** Ends the iteration when aborted; what waits is not delivered any more. */
  readonly signal?: AbortSignal;
  /** Events that may wait for the observer, at least 1; further ones are dropped, the oldest first. Default 256. */
  readonly bufferEvents?: number;
  /** Events for which it is false are neither delivered nor counted. Must be quick; it runs within Raft's turn. */
  readonly filter?: (event: T) => boolean;
}

/** An observer's events, in order (hashicorp/raft's `Observer`). One consumer; a slow one never holds Raft up. */
export interface Observer<T> extends AsyncIterableIterator<T> {
  /** Events that were dropped since the buffer was full. */
  readonly dropped: number;
  /** Ends the iteration and frees what it holds; `break` in a `for await` does so by itself. */
  return(): Promise<IteratorResult<T>>;
}

/** Where an observer's events come from, and what is to be done when it leaves. */
export interface ObserverSource<T> {
  readonly subscribe: (listener: (event: T) => void) => void;
  readonly unsubscribe: (listener: (event: T) => void) => void;
}

/** A bounded queue between Raft, which never waits, and an observer that may. */
export class EventQueue<T> implements Observer<T> {
  readonly #source: ObserverSource<T>;
  readonly #limit: number;
  readonly #signal: AbortSignal | undefined;
  readonly #listener: (event: T) => void;
  readonly #abort = (): void => this.#end(true);
  #events: T[] = [];
  #waiting: ((result: IteratorResult<T>) => void)[] = [];
  #ended = false;
  #dropped = 0;

  constructor(source: ObserverSource<T>, options: ObserveOptions<T>) {
    const { filter, signal } = options;
    this.#source = source;
    this.#limit = options.bufferEvents ?? DEFAULT_BUFFER_EVENTS;
    if (!Number.isSafeInteger(this.#limit) || this.#limit < 1) {
      const message = `bufferEvents must be a whole number of at least 1, not ${this.#limit}`;
      throw new RaftError('RAFT_INVALID_OPTION', message, { option: 'bufferEvents', value: this.#limit });
    }
    this.#signal = signal;
    this.#listener = (event) => {
      if (filter === undefined || filter(event)) this.#push(event);
    };
    signal?.addEventListener('abort', this.#abort, { once: true });
    if (signal?.aborted === true) this.#ended = true;
    else source.subscribe(this.#listener);
  }

  get ended(): boolean {
    return this.#ended;
  }

  get dropped(): number {
    return this.#dropped;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T>> {
    const event = this.#events.shift();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  return(): Promise<IteratorResult<T>> {
    this.#end(true);
    return Promise.resolve({ done: true, value: undefined });
  }

  /** No more events come; those that wait are still delivered. */
  close(): void {
    this.#end(false);
  }

  #push(event: T): void {
    // Another listener of the same event, or the filter, may have ended it.
    if (this.#ended) return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) return waiting({ done: false, value: event });
    this.#events.push(event);
    if (this.#events.length <= this.#limit) return;
    this.#events.shift();
    this.#dropped++;
  }

  #end(discard: boolean): void {
    if (discard) this.#events = [];
    if (this.#ended) return;
    this.#ended = true;
    this.#source.unsubscribe(this.#listener);
    this.#signal?.removeEventListener('abort', this.#abort);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve({ done: true, value: undefined });
  }
}
