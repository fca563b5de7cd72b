import type { Effect, Failure } from '../core/effects.js';
import { RaftError } from '../core/errors.js';
import type { Input } from '../core/inputs.js';
import { PROTOCOL_VERSION, type RpcHeader, type RpcRequest, type RpcResponse } from '../core/rpc.js';
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
    const answered = (response: RpcResponse): void => {
      if (this.#unsupported(response) === null) feed({ type: 'response', rpcId, peerId: to.id, response });
      else failed();
    };
    try {
      transport.send(to, request, timeoutMs).then(answered, failed);
    } catch {
      // It should have rejected; that is no reason to end the node.
      failed();
    }
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
  #unsupported(message: RpcRequest | RpcResponse | undefined): RaftError | null {
    // A transport may let through what is no message at all.
    const { protocolVersion, id } = Object(message?.header) as Partial<RpcHeader>;
    if (protocolVersion === PROTOCOL_VERSION) return null;
    this.#ports.counters.messagesUnsupported++;
    const what = `${id} speaks version ${protocolVersion} of the protocol; this node speaks ${PROTOCOL_VERSION}`;
    return new RaftError('RAFT_UNSUPPORTED_PROTOCOL', what, { protocolVersion, supported: PROTOCOL_VERSION });
  }
}
