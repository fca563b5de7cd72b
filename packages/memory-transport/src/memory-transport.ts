import {
  RaftError,
  systemClock,
  type Clock,
  type ResponseOf,
  type RpcHandler,
  type RpcRequest,
  type Server,
  type ServerAddress,
  type ServerId,
  type Transport,
} from '@discovery-raft/raft-core';
import { PeerTransport, type PeerContext } from './peer-transport.js';

/** Options of a {@link MemoryTransport}. */
export interface MemoryTransportOptions {
  /** This node's own name and address. */
  readonly id: ServerId;
  readonly address: ServerAddress;
  /** Times RPCs out; default {@link systemClock}. */
  readonly clock?: Clock;
  /**
   * RPCs to one peer that may be without an outcome, and as many that came from it; 1 or more, default 1024. One more is
   * refused with RAFT_TRANSPORT_OVERLOADED.
   */
  readonly maxQueuedRpcs?: number;
  /**
   * Bytes ({@link rpcSize}) that those may add up to in each direction; default 64 MiB. Keep it above the largest RPC
   * that the node sends: a larger one never gets through.
   */
  readonly maxQueuedBytes?: number;
  /**
   * Whether requests that go out and responses that go back are copied, so that nodes in one process share neither
   * objects nor bytes; default true. Set it to false when whoever consumes `proxy()` serialises anyway: the requests
   * then keep the identity of their `entries`, which an encoder may use to encode a batch once for all followers.
   */
  readonly copy?: boolean;
}

/** Called with each peer's transport, once. */
export type PeerListener = (peer: PeerTransport) => void;

/**
 * A node's transport in memory. It moves no bytes itself: the local Raft sends into it, whoever consumes
 * `peer(id).proxy()` carries the RPCs, and brings what comes from a peer to `peer(id).deliver()`.
 *
 * @example
 * const transport = new MemoryTransport({ id: 'a', address: 'a' });
 * for await (const rpc of transport.peer('b').proxy()) {
 *   link.call(rpc.request).then((response) => rpc.respond(response), (error) => rpc.fail(error));
 * }
 */
export class MemoryTransport implements Transport {
  readonly localId: ServerId;
  readonly localAddress: ServerAddress;
  readonly #peers = new Map<ServerId, PeerTransport>();
  readonly #listeners = new Set<PeerListener>();
  readonly #context: PeerContext;
  #handler: RpcHandler | undefined;
  #closedBy: RaftError | undefined;

  /** @throws RaftError RAFT_INVALID_OPTION */
  constructor(options: MemoryTransportOptions) {
    const { id, address, clock = systemClock, copy = true } = options;
    const { maxQueuedRpcs = 1024, maxQueuedBytes = 64 * 1024 * 1024 } = options;
    requirePositive('maxQueuedRpcs', maxQueuedRpcs);
    requirePositive('maxQueuedBytes', maxQueuedBytes);
    this.localId = id;
    this.localAddress = address;
    this.#context = { clock, copy, limits: { maxQueuedRpcs, maxQueuedBytes }, handler: () => this.#handler };
  }

  /** The transport of this peer, made at first use. After `close`, a closed one. */
  peer(id: ServerId): PeerTransport {
    const known = this.#peers.get(id);
    if (known !== undefined) return known;
    const peer = new PeerTransport(id, this.#context);
    if (this.#closedBy !== undefined) {
      peer.close(this.#closedBy);
      return peer;
    }
    this.#peers.set(id, peer);
    for (const listener of [...this.#listeners]) listener(peer);
    return peer;
  }

  /** The peers that there are, oldest first. */
  peers(): Iterable<PeerTransport> {
    return this.#peers.values();
  }

  /**
   * Calls `listener` with every peer that there is, now, and with each later one when it is made: so a consumer sees a
   * server that joins as soon as Raft first sends to it.
   *
   * @returns ends it
   */
  onPeer(listener: PeerListener): () => void {
    this.#listeners.add(listener);
    for (const peer of [...this.#peers.values()]) listener(peer);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /**
   * Forgets a peer that has left the cluster: ends its stream, fails its RPCs with RAFT_TRANSPORT_FAILED. Sending to it
   * again makes a new one.
   */
  removePeer(id: ServerId): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    this.#peers.delete(id);
    peer.close(new RaftError('RAFT_TRANSPORT_FAILED', 'the peer was removed', { peerId: id }));
  }

  /**
   * Puts a request into the peer's queue and waits for its outcome.
   *
   * @param timeoutMs from now; 0 or more, finite
   * @throws RaftError RAFT_TRANSPORT_TIMEOUT, RAFT_TRANSPORT_FAILED, RAFT_TRANSPORT_OVERLOADED, RAFT_TRANSPORT_CLOSED;
   *   RAFT_MALFORMED for a response that does not fit the request; RAFT_INVALID_OPTION for an impossible timeout
   */
  send<R extends RpcRequest>(target: Server, request: R, timeoutMs: number): Promise<ResponseOf[R['kind']]> {
    if (!Number.isFinite(timeoutMs) || timeoutMs < 0) {
      return Promise.reject(new RaftError('RAFT_INVALID_OPTION', 'timeoutMs must be 0 or more', { timeoutMs }));
    }
    // respond() lets through only the response that belongs to the request's kind.
    return this.peer(target.id).send(target, request, timeoutMs) as Promise<ResponseOf[R['kind']]>;
  }

  setHandler(handler: RpcHandler): void {
    this.#handler = handler;
  }

  /** Rejects what is under way in both directions with RAFT_TRANSPORT_CLOSED, ends the streams; idempotent. */
  close(): Promise<void> {
    if (this.#closedBy === undefined) {
      this.#closedBy = new RaftError('RAFT_TRANSPORT_CLOSED', 'the transport is closed', { id: this.localId });
      for (const peer of this.#peers.values()) peer.close(this.#closedBy);
      this.#listeners.clear();
    }
    return Promise.resolve();
  }
}

function requirePositive(name: string, value: number): void {
  if (!(value >= 1)) throw new RaftError('RAFT_INVALID_OPTION', `${name} must be 1 or more`, { [name]: value });
}
