import { deserialize, serialize } from 'node:v8';
import {
  RaftError,
  type ResponseOf,
  type RpcHandler,
  type RpcRequest,
  type Server,
  type Transport,
} from '@discovery-raft/raft-core';

/** Where a server takes the RPCs of its peers. */
export const RAFT_PATH = '/raft';

/**
 * A transport of forty lines: each RPC is one HTTP request, an address is `host:port`. Objects travel in V8's own format,
 * which is for servers that trust each other and run the same version; a protocol of your own begins here.
 */
export class HttpTransport implements Transport {
  readonly localId: string;
  readonly localAddress: string;
  #handler: RpcHandler | null = null;
  readonly #closing = new AbortController();

  constructor(id: string, address: string) {
    this.localId = id;
    this.localAddress = address;
  }

  setHandler(handler: RpcHandler): void {
    this.#handler = handler;
  }

  async send<R extends RpcRequest>(target: Server, request: R, timeoutMs: number): Promise<ResponseOf[R['kind']]> {
    const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), this.#closing.signal]);
    try {
      const body = new Uint8Array(serialize(request));
      const response = await fetch(`http://${target.address}${RAFT_PATH}`, { method: 'POST', body, signal });
      if (!response.ok) throw new Error(`status ${response.status}`);
      return deserialize(Buffer.from(await response.arrayBuffer())) as ResponseOf[R['kind']];
    } catch (cause) {
      throw new RaftError('RAFT_TRANSPORT_FAILED', `${target.id} at ${target.address} did not answer`, {}, cause);
    }
  }

  /** Answers the body of a request that came to {@link RAFT_PATH}. */
  async receive(body: Uint8Array): Promise<Uint8Array> {
    if (this.#handler === null) throw new RaftError('RAFT_TRANSPORT_FAILED', 'the node does not run yet');
    return serialize(await this.#handler(deserialize(body) as RpcRequest));
  }

  async close(): Promise<void> {
    this.#closing.abort();
  }
}
