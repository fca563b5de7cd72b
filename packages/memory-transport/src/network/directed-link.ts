import type { RpcResponse, ServerId } from '@discovery-raft/raft-core';
import type { OutgoingRpc } from '../outgoing-rpc.js';
import type { LinkFaults } from './faults.js';

/** One message on its way: a request, or what became of it on its way back. */
export type Parcel =
  | { readonly kind: 'request'; readonly rpc: OutgoingRpc; at: number }
  | { readonly kind: 'response'; readonly rpc: OutgoingRpc; readonly response: RpcResponse; at: number }
  | { readonly kind: 'failure'; readonly rpc: OutgoingRpc; readonly error: unknown; at: number };

/** The way from one node to another: its faults, and the messages on it in order of arrival. */
export class DirectedLink {
  readonly from: ServerId;
  readonly to: ServerId;
  faults: LinkFaults;
  /** Whether `faults` are this link's own, so that a change of the network's leaves them alone. */
  ownFaults = false;
  cut = false;
  /** Whether the link waits for the shared turn. */
  inTurn = false;
  /** Whether a timer for the head of the queue runs. */
  timed = false;
  #queue: Parcel[] = [];
  #head = 0;

  constructor(from: ServerId, to: ServerId, faults: LinkFaults) {
    this.from = from;
    this.to = to;
    this.faults = faults;
  }

  get length(): number {
    return this.#queue.length - this.#head;
  }

  /** When the last message arrives; 0 (always past) when there is none. */
  get lastArrival(): number {
    return this.#queue[this.#queue.length - 1]?.at ?? 0;
  }

  /** When the first message arrives; undefined when there is none. */
  get nextArrival(): number | undefined {
    return this.#queue[this.#head]?.at;
  }

  push(parcel: Parcel): void {
    this.#queue.push(parcel);
  }

  /** Removes and returns the messages that have arrived by `now`. */
  takeDue(now: number): readonly Parcel[] {
    const queue = this.#queue;
    let end = this.#head;
    while (end < queue.length && queue[end]!.at <= now) end++;
    if (this.#head === 0 && end === queue.length) {
      this.#queue = [];
      return queue;
    }
    const due = queue.slice(this.#head, end);
    this.#head = end;
    // Dropping the consumed half now and then keeps the cost per message constant.
    if (this.#head * 2 >= queue.length) {
      this.#queue = queue.slice(this.#head);
      this.#head = 0;
    }
    return due;
  }
}
