import type { ResponseOf, RpcRequest, RpcResponse } from '../core/rpc.js';
import type { Server, ServerAddress, ServerId } from '../core/types.js';

/** Answers a peer's request. A rejection becomes a failure of the peer's call. */
export type RpcHandler = (request: RpcRequest) => Promise<RpcResponse>;

/**
 * How a node reaches its peers (hashicorp/raft's `Transport`).
 *
 * Requests to one peer are delivered in order where the medium can; Raft is correct without, only slower. Answers
 * go back as soon as there are any, in any order: a follower answers a heartbeat while it still writes the append before it. Bytes inside
 * requests and responses are never written to by either side after they were handed over.
 */
export interface Transport {
  readonly localId: ServerId;
  readonly localAddress: ServerAddress;

  /**
   * Sends a request and resolves with its response.
   *
   * @param timeoutMs after this many milliseconds the call is rejected
   * @throws RaftError RAFT_TRANSPORT_TIMEOUT, RAFT_TRANSPORT_FAILED, RAFT_TRANSPORT_OVERLOADED, RAFT_TRANSPORT_CLOSED
   */
  send<R extends RpcRequest>(target: Server, request: R, timeoutMs: number): Promise<ResponseOf[R['kind']]>;

  /** Sets who answers incoming requests; a node sets it once, when it starts. Until then requests fail. */
  setHandler(handler: RpcHandler): void;

  /** Rejects what is under way and refuses further calls; idempotent. */
  close(): Promise<void>;
}
