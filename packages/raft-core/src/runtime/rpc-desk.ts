import type { Effect, Failure } from '../core/effects.js';
import { RaftError } from '../core/errors.js';
import type { Input } from '../core/inputs.js';
import { PROTOCOL_VERSION, type RpcRequest, type RpcResponse } from '../core/rpc.js';
import type { Transport } from '../ports/transport.js';
import type { Counters } from './metrics.js';
import { OpenCalls } from './open-calls.js';

/** What the desk needs of its node. */
export interface RpcPorts {
  readonly transport: Transport;
  readonly counters: Counters;
  readonly feed: (input: Input) => void;
  /** Why requests are refused now; null when they are not. */
  readonly refuses: () => RaftError | null;
}

/** Between the core and the transport: requests of peers wait here for the core's answer, and its own for the peers'. */
export class RpcDesk {
  readonly #ports: RpcPorts;
  readonly #requests = new OpenCalls<RpcResponse>();

  constructor(ports: RpcPorts) {
    this.#ports = ports;
  }

  /** Takes requests from now on. */
  open(): void {
    this.#ports.transport.setHandler((request) => this.#handle(request));
  }

  /** Sends a request of the core's; the answer, or the failure, comes back as an input. */
  send({ rpcId, to, request, timeoutMs }: Extract<Effect, { type: 'send' }>): void {
    const { transport, counters, feed } = this.#ports;
    counters.requestsSent++;
    const failed = (): void => {
      counters.requestsFailed++;
      feed({ type: 'rpcFailed', rpcId, peerId: to.id });
    };
    transport.send(to, request, timeoutMs).then((response) => {
      if (this.#unsupported(response) === null) feed({ type: 'response', rpcId, peerId: to.id, response });
      else failed();
    }, failed);
  }

  /** Answers a request. */
  reply(requestId: number, response: RpcResponse): void {
    this.#requests.take(requestId)?.resolve(response);
  }

  refuse(requestId: number, { code, message, details }: Failure): void {
    this.#requests.take(requestId)?.reject(new RaftError(code, message, details));
  }

  rejectAll(error: RaftError): void {
    this.#requests.rejectAll(error);
  }

  #handle(request: RpcRequest): Promise<RpcResponse> {
    const { counters, feed } = this.#ports;
    const refused = this.#ports.refuses();
    if (refused !== null) return Promise.reject(refused);
    counters.requestsReceived++;
    const unsupported = this.#unsupported(request);
    if (unsupported !== null) return Promise.reject(unsupported);
    return this.#requests.open((requestId) => feed({ type: 'request', requestId, request }));
  }

  /** What speaks another version of the protocol is not understood, whatever it seems to say. */
  #unsupported({ header }: RpcRequest | RpcResponse): RaftError | null {
    const { protocolVersion, id } = header;
    if (protocolVersion === PROTOCOL_VERSION) return null;
    this.#ports.counters.messagesUnsupported++;
    const message = `${id} speaks version ${protocolVersion} of the protocol; this node speaks ${PROTOCOL_VERSION}`;
    return new RaftError('RAFT_UNSUPPORTED_PROTOCOL', message, { protocolVersion, supported: PROTOCOL_VERSION });
  }
}
