import {
  RaftError,
  type ResponseOf,
  type RpcHandler,
  type RpcRequest,
  type RpcResponse,
  type Server,
  type Transport,
} from '@discovery-raft/raft-core';
import type { Dice } from '../scenario/dice.js';
import type { ProcessClock } from '../time/process-clock.js';
import type { VirtualClock } from '../time/virtual-clock.js';
import { Cuts, type LinkFaults } from './link-faults.js';

/** A process that answers at an address. */
export interface Endpoint {
  readonly id: string;
  readonly clock: ProcessClock;
  handler: RpcHandler | null;
}

/** A message that left a server; `request` is what a response answers. */
export type Sent =
  | { readonly kind: 'request'; readonly from: string; readonly to: string; readonly message: RpcRequest }
  | {
      readonly kind: 'response';
      readonly from: string;
      readonly to: string;
      readonly message: RpcResponse;
      readonly request: RpcRequest;
    };

/** What the network tells the simulation. */
export interface NetworkEvents {
  sent(message: Sent): void;
  /** A message is about to be handed to a process that lives. */
  arriving(to: Endpoint, from: string, message: RpcRequest | RpcResponse): void;
  /** A request was handed over, and is not answered yet. */
  arrived(to: Endpoint, from: string, request: RpcRequest): void;
  /** A handler was called; its promise must settle while the process lives. */
  answering(endpoint: Endpoint, answer: Promise<RpcResponse>): void;
}

/** Carries RPCs between processes, in virtual time and with faults. Each message is on its own: nothing keeps an order. */
export class SimNetwork {
  readonly cuts = new Cuts();
  readonly faults: LinkFaults;
  readonly #world: VirtualClock;
  readonly #dice: Dice;
  readonly #events: NetworkEvents;
  #era = 0;
  readonly #endpoints = new Map<string, Endpoint>();

  constructor(world: VirtualClock, dice: Dice, faults: LinkFaults, events: NetworkEvents) {
    this.#world = world;
    this.#dice = dice;
    this.faults = faults;
    this.#events = events;
  }

  /** Everything that is under way is lost: what the faults have delayed must not reach into a time without faults. */
  loseAll(): void {
    this.#era++;
  }

  /** A transport for a new process of server `id`; it takes the place of the server's former process. */
  connect(id: string, clock: ProcessClock): Transport {
    const endpoint: Endpoint = { id, clock, handler: null };
    this.#endpoints.set(id, endpoint);
    return {
      localId: id,
      localAddress: addressOf(id),
      send: <R extends RpcRequest>(target: Server, request: R, timeoutMs: number) =>
        this.#send(endpoint, target, request, timeoutMs) as Promise<ResponseOf[R['kind']]>,
      setHandler: (handler) => {
        endpoint.handler = handler;
      },
      close: async () => {
        endpoint.handler = null;
      },
    };
  }

  #send(from: Endpoint, target: Server, request: RpcRequest, timeoutMs: number): Promise<RpcResponse> {
    const to = target.id;
    this.#events.sent({ kind: 'request', from: from.id, to, message: request });
    return new Promise((resolve, reject) => {
      const timeout = from.clock.setTimer(timeoutMs, () => {
        reject(new RaftError('RAFT_TRANSPORT_TIMEOUT', `${to} did not answer`));
      });
      const settle = (action: () => void): void =>
        from.clock.run(() => {
          timeout.cancel();
          action();
        });
      const fail = (why: string): void =>
        this.#carry(to, from.id, () => settle(() => reject(new RaftError('RAFT_TRANSPORT_FAILED', why))));
      this.#carry(from.id, to, () => {
        const endpoint = this.#endpoints.get(to);
        if (endpoint === undefined || endpoint.clock.dead || endpoint.handler === null) return fail(`${to} is down`);
        endpoint.clock.run(() => {
          if (endpoint.handler === null) return fail(`${to} is down`);
          this.#events.arriving(endpoint, from.id, request);
          const answer = endpoint.handler(request);
          this.#events.arrived(endpoint, from.id, request);
          this.#events.answering(endpoint, answer);
          answer.then(
            (message) => {
              if (endpoint.clock.dead) return;
              this.#events.sent({ kind: 'response', from: to, to: from.id, message, request });
              this.#carry(to, from.id, () =>
                settle(() => {
                  this.#events.arriving(from, to, message);
                  resolve(message);
                }),
              );
            },
            () => {
              if (!endpoint.clock.dead) fail(`${to} refused`);
            },
          );
        });
      });
    });
  }

  /** Lets a message arrive: once, twice or never. */
  #carry(from: string, to: string, arrive: () => void): void {
    const era = this.#era;
    const copies = this.#dice.chance(this.faults.duplication) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      if (this.#dice.chance(this.faults.loss) || !this.cuts.passes(from, to)) continue;
      this.#world.schedule(this.#delayMs() + this.cuts.lagMs(to), () => {
        if (era === this.#era && this.cuts.passes(from, to)) arrive();
      });
    }
  }

  #delayMs(): number {
    const { delayMs, longDelay, longDelayMs } = this.faults;
    if (this.#dice.chance(longDelay)) return this.#dice.between(0, longDelayMs);
    return delayMs / 2 + this.#dice.exponential(delayMs / 2);
  }
}

/** Where a server of the simulation is reached. */
export function addressOf(id: string): string {
  return `${id}.sim`;
}
