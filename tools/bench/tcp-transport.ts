import { connect, createServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import {
  DEFAULT_LIMITS,
  EntriesCache,
  decodeRaftMessage,
  encodeRaftMessage,
  toRpcFailure,
  type RaftMessage,
} from '@discovery-raft/psp-envelope';
import {
  RaftError,
  type ResponseOf,
  type RpcHandler,
  type RpcRequest,
  type RpcResponse,
  type Server,
  type ServerId,
  type Transport,
} from '@discovery-raft/raft-core';

/** Length of the rest, number of the call, 0 for a request and 1 for its answer, type of the message. */
const HEAD_BYTES = 4 + 4 + 1 + 2;
const MAX_FRAME_BYTES = DEFAULT_LIMITS.maxMessageBytes + HEAD_BYTES;

type Frame = (callId: number, isAnswer: boolean, message: RaftMessage) => void;

/**
 * Messages on a socket, whole and in order. What is sent in one turn of the event loop leaves as one write.
 *
 * @returns sends a message
 */
function frames(socket: Socket, cache: EntriesCache, received: Frame): Frame {
  let rest: Buffer = Buffer.alloc(0);
  let corked = false;
  socket.setNoDelay(true);
  // What went wrong is told by `close`, which follows.
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    try {
      while (bytes.length >= 4) {
        const length = bytes.readUInt32BE(0);
        // Checked before memory is taken for it.
        if (length < HEAD_BYTES - 4 || length > MAX_FRAME_BYTES) throw new RangeError(`a frame of ${length} bytes`);
        if (bytes.length < 4 + length) break;
        const message = decodeRaftMessage(bytes.readUInt16BE(9), bytes.subarray(HEAD_BYTES, 4 + length));
        received(bytes.readUInt32BE(4), bytes[8] === 1, message);
        bytes = bytes.subarray(4 + length);
      }
      rest = bytes;
    } catch {
      socket.destroy();
    }
  });
  return (callId, isAnswer, message) => {
    const { msgType, packet } = encodeRaftMessage(message, cache);
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32BE(HEAD_BYTES - 4 + packet.length, 0);
    head.writeUInt32BE(callId, 4);
    head[8] = isAnswer ? 1 : 0;
    head.writeUInt16BE(msgType, 9);
    if (!corked) {
      corked = true;
      socket.cork();
      setImmediate(() => {
        corked = false;
        socket.uncork();
      });
    }
    socket.write(head);
    socket.write(packet);
  };
}

interface Call {
  settle(answer: RaftMessage | RaftError): void;
}

/** One connection to a peer, and the calls that wait for its answers. */
class Peer {
  readonly #calls = new Map<number, Call>();
  readonly #socket: Socket;
  readonly #send: Frame;
  #lastId = 0;

  constructor(address: string, cache: EntriesCache, closed: () => void) {
    const at = address.lastIndexOf(':');
    this.#socket = connect(Number(address.slice(at + 1)), address.slice(0, at));
    this.#send = frames(this.#socket, cache, (callId, isAnswer, message) => {
      if (isAnswer) this.#calls.get(callId)?.settle(message);
    });
    this.#socket.on('close', () => {
      closed();
      const error = new RaftError('RAFT_TRANSPORT_FAILED', `the connection to ${address} is closed`);
      for (const call of this.#calls.values()) call.settle(error);
    });
  }

  call<R extends RpcRequest>(request: R, timeoutMs: number): Promise<ResponseOf[R['kind']]> {
    return new Promise((resolve, reject) => {
      const id = (this.#lastId = (this.#lastId + 1) >>> 0);
      const settle = (answer: RaftMessage | RaftError): void => {
        clearTimeout(timer);
        this.#calls.delete(id);
        if (answer instanceof RaftError) reject(answer);
        else if (answer.kind === `${request.kind}Response`) resolve(answer as ResponseOf[R['kind']]);
        else reject(new RaftError('RAFT_TRANSPORT_FAILED', `the peer answered with ${answer.kind}`));
      };
      const timer = setTimeout(
        () => settle(new RaftError('RAFT_TRANSPORT_TIMEOUT', `no answer within ${timeoutMs} ms`)),
        timeoutMs,
      );
      this.#calls.set(id, { settle });
      this.#send(id, false, request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

/**
 * Raft over TCP: length-prefixed frames of raft.v1, a connection for each direction. The smallest transport that is
 * worth measuring, and the worked example of one of your own; it knows neither TLS nor who may connect.
 */
export class TcpTransport implements Transport {
  readonly localId: ServerId;
  readonly localAddress: string;
  readonly #server: TcpServer;
  readonly #cache = new EntriesCache();
  readonly #peers = new Map<string, Peer>();
  readonly #incoming = new Set<Socket>();
  #handler: RpcHandler | null = null;
  #closed = false;

  /** Listens on a free port of the loopback interface; its `localAddress` is what the configuration has to name. */
  static async listen(id: ServerId): Promise<TcpTransport> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return new TcpTransport(id, server);
  }

  private constructor(id: ServerId, server: TcpServer) {
    this.localId = id;
    this.localAddress = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.#server = server;
    server.on('connection', (socket) => this.#accept(socket));
  }

  setHandler(handler: RpcHandler): void {
    this.#handler = handler;
  }

  send<R extends RpcRequest>(target: Server, request: R, timeoutMs: number): Promise<ResponseOf[R['kind']]> {
    if (this.#closed) return Promise.reject(new RaftError('RAFT_TRANSPORT_CLOSED', 'this transport is closed'));
    const { address } = target;
    let peer = this.#peers.get(address);
    if (peer === undefined) {
      peer = new Peer(address, this.#cache, () => this.#peers.delete(address));
      this.#peers.set(address, peer);
    }
    return peer.call(request, timeoutMs);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const peer of this.#peers.values()) peer.close();
    for (const socket of this.#incoming) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** Answers in whatever order the node does: a heartbeat does not wait for the append before it. */
  #accept(socket: Socket): void {
    this.#incoming.add(socket);
    socket.on('close', () => this.#incoming.delete(socket));
    const reply = frames(socket, this.#cache, (callId, isAnswer, message) => {
      if (isAnswer) return;
      this.#answer(message as RpcRequest).then(
        (response) => reply(callId, true, response),
        (error: unknown) => reply(callId, true, toRpcFailure(error)),
      );
    });
  }

  #answer(request: RpcRequest): Promise<RpcResponse> {
    return this.#handler?.(request) ?? Promise.reject(new RaftError('RAFT_TRANSPORT_FAILED', 'nobody answers yet'));
  }
}
