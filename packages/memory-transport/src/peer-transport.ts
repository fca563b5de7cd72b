import {
  RaftError,
  type Clock,
  type RpcHandler,
  type RpcRequest,
  type RpcResponse,
  type Server,
  type ServerId,
  type Timer,
} from '@discovery-raft/raft-core';
import { PendingRpc, type OutgoingRpc } from './outgoing-rpc.js';
import { copyRequest, copyResponse } from './rpc-copy.js';
import { rpcSize } from './rpc-size.js';
import { QueueStream, type RpcStream } from './rpc-stream.js';

/** Bounds of what one peer may hold, in each direction. */
export interface PeerLimits {
  /** RPCs without an outcome. */
  readonly maxQueuedRpcs: number;
  /** Sum of their {@link rpcSize}. */
  readonly maxQueuedBytes: number;
}

/** What a peer's transport shares with the node's. */
export interface PeerContext {
  readonly clock: Clock;
  readonly limits: PeerLimits;
  readonly copy: boolean;
  /** Who answers incoming requests, as soon as the node has said so. */
  handler(): RpcHandler | undefined;
}

/**
 * The transport between the local Raft and one peer. Unsettled RPCs form one linked list in the order of the sends;
 * those from `#firstQueued` on have not been taken by a consumer yet. So queueing, taking and settling in any order each
 * cost O(1), and an RPC that times out in the queue leaves nothing behind.
 */
export class PeerTransport {
  /** The peer's name. */
  readonly id: ServerId;
  readonly #context: PeerContext;
  #first: PendingRpc | undefined;
  #last: PendingRpc | undefined;
  #firstQueued: PendingRpc | undefined;
  #pendingRpcs = 0;
  #pendingBytes = 0;
  #lastId = 0;
  #stream: QueueStream | undefined;
  /** Reject functions of incoming requests that are being answered. */
  readonly #answering = new Set<(error: RaftError) => void>();
  #answeringBytes = 0;
  #timer: Timer | undefined;
  #timerAt = Infinity;
  #closedBy: RaftError | undefined;

  /** @internal `MemoryTransport.peer` makes them */
  constructor(id: ServerId, context: PeerContext) {
    this.id = id;
    this.#context = context;
  }

  /** RPCs to this peer that have no outcome yet, whether somebody carries them or not. */
  get pendingRpcs(): number {
    return this.#pendingRpcs;
  }

  /** What those count for ({@link rpcSize}). */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /**
   * The outgoing RPCs, for whoever carries them. One consumer at a time: a new call ends the stream of the one before,
   * so that a link which takes over from a dead one needs no cooperation. The stream ends when the transport closes.
   */
  proxy(): RpcStream {
    this.#stream?.end();
    const stream = new QueueStream(
      () => this.#take(),
      (ended) => {
        if (this.#stream === ended) this.#stream = undefined;
      },
    );
    if (this.#closedBy === undefined) this.#stream = stream;
    else stream.end();
    return stream;
  }

  /**
   * Brings in a request that this peer sent, and resolves with the local Raft's response.
   *
   * The caller has authenticated the peer. The bytes of `request` are handed over. With `copy`, the response is the
   * caller's alone.
   *
   * @throws RaftError RAFT_MALFORMED when the header names another server than this peer; RAFT_TRANSPORT_OVERLOADED when
   *   too many requests of this peer wait for an answer; RAFT_TRANSPORT_FAILED when the node has no handler yet;
   *   RAFT_TRANSPORT_CLOSED; whatever the handler rejects with
   */
  deliver(request: RpcRequest): Promise<RpcResponse> {
    const bytes = rpcSize(request);
    const refusal = this.#refuseIncoming(request, bytes);
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      this.#answering.add(reject);
      this.#answeringBytes += bytes;
      const done = (): void => {
        if (this.#answering.delete(reject)) this.#answeringBytes -= bytes;
      };
      this.#handle(request).then(
        (response) => {
          done();
          resolve(this.#context.copy ? copyResponse(response) : response);
        },
        (error: unknown) => {
          done();
          reject(error);
        },
      );
    });
  }

  /** @internal The sending half; `MemoryTransport.send` calls it. */
  send(target: Server, request: RpcRequest, timeoutMs: number): Promise<RpcResponse> {
    if (this.#closedBy !== undefined) return Promise.reject(this.#closedBy);
    const bytes = rpcSize(request);
    const { limits, clock, copy } = this.#context;
    if (this.#pendingRpcs >= limits.maxQueuedRpcs || this.#pendingBytes + bytes > limits.maxQueuedBytes) {
      return Promise.reject(this.#overloaded('the queue to the peer is full', this.#pendingRpcs, this.#pendingBytes));
    }
    return new Promise((resolve, reject) => {
      const deadline = clock.now() + timeoutMs;
      const owned = copy ? copyRequest(request) : request;
      const rpc = new PendingRpc(
        this,
        { id: ++this.#lastId, target, request: owned, deadline, bytes },
        resolve,
        reject,
      );
      this.#append(rpc);
      this.#armTimer(deadline);
      this.#stream?.wake();
    });
  }

  /** @internal Rejects all that is under way and refuses what comes; idempotent. */
  close(reason: RaftError): void {
    if (this.#closedBy !== undefined) return;
    this.#closedBy = reason;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#stream?.end();
    for (let rpc = this.#first; rpc !== undefined; rpc = this.#first) rpc.reject(reason);
    const answering = [...this.#answering];
    this.#answering.clear();
    this.#answeringBytes = 0;
    for (const reject of answering) reject(reason);
  }

  /** @internal Unlinks an RPC that has its outcome. */
  settled(rpc: PendingRpc): void {
    if (this.#firstQueued === rpc) this.#firstQueued = rpc.next;
    if (rpc.previous === undefined) this.#first = rpc.next;
    else rpc.previous.next = rpc.next;
    if (rpc.next === undefined) this.#last = rpc.previous;
    else rpc.next.previous = rpc.previous;
    rpc.previous = undefined;
    rpc.next = undefined;
    this.#pendingRpcs--;
    this.#pendingBytes -= rpc.bytes;
  }

  #append(rpc: PendingRpc): void {
    rpc.previous = this.#last;
    if (this.#last === undefined) this.#first = rpc;
    else this.#last.next = rpc;
    this.#last = rpc;
    this.#firstQueued ??= rpc;
    this.#pendingRpcs++;
    this.#pendingBytes += rpc.bytes;
  }

  #take(): OutgoingRpc | undefined {
    const rpc = this.#firstQueued;
    if (rpc !== undefined) this.#firstQueued = rpc.next;
    return rpc;
  }

  /**
   * One timer for the whole list. It stays armed when its RPC gets an answer, since the next one needs it anyway: steady
   * traffic costs one timer per timeout instead of one per RPC.
   */
  #armTimer(deadline: number): void {
    if (deadline >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = deadline;
    this.#timer = this.#context.clock.setTimer(deadline - this.#context.clock.now(), () => this.#expire());
  }

  #expire(): void {
    this.#timer = undefined;
    this.#timerAt = Infinity;
    const now = this.#context.clock.now();
    let earliest = Infinity;
    for (let rpc = this.#first; rpc !== undefined;) {
      const next = rpc.next;
      if (rpc.deadline <= now) {
        rpc.reject(new RaftError('RAFT_TRANSPORT_TIMEOUT', 'the peer did not answer in time', { peerId: this.id }));
      } else if (rpc.deadline < earliest) {
        earliest = rpc.deadline;
      }
      rpc = next;
    }
    if (earliest !== Infinity) this.#armTimer(earliest);
  }

  #refuseIncoming(request: RpcRequest, bytes: number): RaftError | undefined {
    if (this.#closedBy !== undefined) return this.#closedBy;
    if (request.header.id !== this.id) {
      return new RaftError('RAFT_MALFORMED', "the request is in another server's name", {
        peerId: this.id,
        headerId: request.header.id,
      });
    }
    const { maxQueuedRpcs, maxQueuedBytes } = this.#context.limits;
    if (this.#answering.size >= maxQueuedRpcs || this.#answeringBytes + bytes > maxQueuedBytes) {
      return this.#overloaded('too many requests of the peer wait', this.#answering.size, this.#answeringBytes);
    }
    return undefined;
  }

  /** The handler belongs to the caller: one that throws instead of rejecting does no harm. */
  #handle(request: RpcRequest): Promise<RpcResponse> {
    const handler = this.#context.handler();
    if (handler === undefined) {
      return Promise.reject(
        new RaftError('RAFT_TRANSPORT_FAILED', 'the node does not answer yet', { peerId: this.id }),
      );
    }
    try {
      return handler(request);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #overloaded(message: string, rpcs: number, bytes: number): RaftError {
    return new RaftError('RAFT_TRANSPORT_OVERLOADED', message, { peerId: this.id, rpcs, bytes });
  }
}
