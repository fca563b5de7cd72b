import type { OutgoingRpc } from './outgoing-rpc.js';

/**
 * The outgoing RPCs to one peer, in the order of the sends. For `for await`; `return()` ends it from outside, also while
 * a `next()` waits.
 */
export interface RpcStream extends AsyncIterableIterator<OutgoingRpc> {
  return(): Promise<IteratorResult<OutgoingRpc, undefined>>;
}

type Result = IteratorResult<OutgoingRpc, undefined>;

const DONE: Result = { done: true, value: undefined };

/** A consumer of the queue of a peer. */
export class QueueStream implements RpcStream {
  readonly #take: () => OutgoingRpc | undefined;
  readonly #ended: (stream: QueueStream) => void;
  #waiting: ((result: Result) => void)[] = [];
  #done = false;

  /**
   * @param take removes the first RPC of the queue
   * @param ended told once when the stream ends
   */
  constructor(take: () => OutgoingRpc | undefined, ended: (stream: QueueStream) => void) {
    this.#take = take;
    this.#ended = ended;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result> {
    if (this.#done) return Promise.resolve(DONE);
    const rpc = this.#waiting.length === 0 ? this.#take() : undefined;
    if (rpc !== undefined) return Promise.resolve({ done: false, value: rpc });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  return(): Promise<Result> {
    this.end();
    return Promise.resolve(DONE);
  }

  /** The queue has got an RPC: gives it to who waits for one. */
  wake(): void {
    const resolve = this.#waiting[0];
    if (resolve === undefined) return;
    const rpc = this.#take();
    if (rpc === undefined) return;
    this.#waiting.shift();
    resolve({ done: false, value: rpc });
  }

  /** Ends the stream; idempotent. RPCs that nobody took stay in the queue. */
  end(): void {
    if (this.#done) return;
    this.#done = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#ended(this);
    for (const resolve of waiting) resolve(DONE);
  }
}
