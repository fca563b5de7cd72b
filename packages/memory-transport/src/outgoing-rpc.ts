import { RaftError, type RpcRequest, type RpcResponse, type Server } from '@discovery-raft/raft-core';

/**
 * One RPC on its way out. Whoever takes it from the stream of `proxy()` carries it to `target` and settles it with
 * `respond` or `fail`. If nobody does, it times out, so a lost one needs no care.
 */
export interface OutgoingRpc {
  /** Grows by one per RPC of this peer, from 1: fit to pair a response with its request on a wire. */
  readonly id: number;
  /** Where it goes, as the sender's configuration names it. */
  readonly target: Server;
  /** Not to be written to. With `copy`, nobody else holds it. */
  readonly request: RpcRequest;
  /** Monotonic milliseconds of the transport's clock at which it times out. */
  readonly deadline: number;
  /** Whether it has its outcome: a response, a failure, a timeout or the end of the transport. */
  readonly settled: boolean;

  /**
   * Hands the response to the sender. A response of another kind than the request asks for, or in another server's name,
   * fails the RPC with RAFT_MALFORMED.
   *
   * @returns false when the RPC was settled already; the response is then ignored
   */
  respond(response: RpcResponse): boolean;

  /**
   * Fails the RPC. The sender sees RAFT_TRANSPORT_FAILED with `error` as its cause and, when that has a code, the code as
   * `details.remoteCode`; a RAFT_TRANSPORT_TIMEOUT, _FAILED or _OVERLOADED reaches the sender as it is.
   *
   * @returns false when the RPC was settled already
   */
  fail(error: unknown): boolean;
}

/** Who is told when an RPC settles. */
export interface PendingOwner {
  /** Called once per RPC, before its promise settles. */
  settled(rpc: PendingRpc): void;
}

/** The transport's own view of an {@link OutgoingRpc}: a node of the peer's list of unsettled RPCs. */
export class PendingRpc implements OutgoingRpc {
  readonly id: number;
  readonly target: Server;
  readonly request: RpcRequest;
  readonly deadline: number;
  /** What it counts for in the queue's limit. */
  readonly bytes: number;
  previous: PendingRpc | undefined;
  next: PendingRpc | undefined;
  #settled = false;
  readonly #owner: PendingOwner;
  readonly #resolve: (response: RpcResponse) => void;
  readonly #reject: (error: RaftError) => void;

  constructor(
    owner: PendingOwner,
    rpc: Pick<PendingRpc, 'id' | 'target' | 'request' | 'deadline' | 'bytes'>,
    resolve: (response: RpcResponse) => void,
    reject: (error: RaftError) => void,
  ) {
    this.id = rpc.id;
    this.target = rpc.target;
    this.request = rpc.request;
    this.deadline = rpc.deadline;
    this.bytes = rpc.bytes;
    this.#owner = owner;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get settled(): boolean {
    return this.#settled;
  }

  respond(response: RpcResponse): boolean {
    if (this.#settled) return false;
    const complaint = misfit(this.request, this.target, response);
    if (complaint !== undefined) return this.reject(complaint);
    this.#settle();
    this.#resolve(response);
    return true;
  }

  fail(error: unknown): boolean {
    return this.#settled ? false : this.reject(asTransportError(error, this.target.id));
  }

  /** Settles with an error as it is. */
  reject(error: RaftError): boolean {
    if (this.#settled) return false;
    this.#settle();
    this.#reject(error);
    return true;
  }

  #settle(): void {
    this.#settled = true;
    this.#owner.settled(this);
  }
}

function misfit(request: RpcRequest, target: Server, response: RpcResponse): RaftError | undefined {
  if (response.kind !== `${request.kind}Response`) {
    return new RaftError('RAFT_MALFORMED', 'the response is of another kind than the request', {
      peerId: target.id,
      request: request.kind,
      response: response.kind,
    });
  }
  if (response.header.id !== target.id) {
    return new RaftError('RAFT_MALFORMED', "the response is in another server's name", {
      peerId: target.id,
      headerId: response.header.id,
    });
  }
  return undefined;
}

/** What a sender may see of a failure that somebody else reports. */
function asTransportError(error: unknown, peerId: string): RaftError {
  if (error instanceof RaftError) {
    switch (error.code) {
      case 'RAFT_TRANSPORT_TIMEOUT':
      case 'RAFT_TRANSPORT_FAILED':
      case 'RAFT_TRANSPORT_OVERLOADED':
        return error;
      default:
        // RAFT_TRANSPORT_CLOSED too: that the peer's transport is closed does not mean that the sender's own is.
        return new RaftError(
          'RAFT_TRANSPORT_FAILED',
          'the peer did not answer the request',
          { peerId, remoteCode: error.code },
          error,
        );
    }
  }
  return new RaftError('RAFT_TRANSPORT_FAILED', 'the request could not be carried out', { peerId }, error);
}
