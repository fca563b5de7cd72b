import { connect, type Socket } from 'node:net';
import { NodeError } from '../errors.js';
import { LineReader } from './line-reader.js';
import {
  MAX_ANSWER_BYTES,
  type AdminErrorBody,
  type AdminMethod,
  type AdminParams,
  type AdminResults,
} from './protocol.js';

interface Waiting {
  resolve(value: unknown): void;
  reject(error: NodeError): void;
  readonly timer: NodeJS.Timeout;
}

/** Options of {@link AdminClient.connect}. */
export interface AdminClientOptions {
  readonly socket: string;
  /**
   * How long to wait for an answer, at least. Default 35,000. A call with a limit of its own (`timeoutMs`) is given 5 s more
   * than that, in which the node says that it is over.
   */
  readonly timeoutMs?: number;
}

/** Time for the answer beyond the method's own limit. */
const SLACK_MS = 5000;

/** Speaks to a running node at its admin socket. Many calls may be under way at once. */
export class AdminClient {
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  readonly #waiting = new Map<number, Waiting>();
  readonly #reader = new LineReader(MAX_ANSWER_BYTES);
  #lastId = 0;
  #failure: NodeError | null = null;

  private constructor(socket: Socket, options: AdminClientOptions) {
    this.#socket = socket;
    this.#timeoutMs = options.timeoutMs ?? 35_000;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#fail(unreachable(options.socket, error)));
    socket.on('close', () => this.#fail(unreachable(options.socket, new Error('the node closed the connection'))));
  }

  /** @throws NodeError NODE_ADMIN_UNREACHABLE */
  static connect(options: AdminClientOptions): Promise<AdminClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(options.socket);
      const failed = (error: Error): void => reject(unreachable(options.socket, error));
      socket.once('error', failed);
      socket.once('connect', () => {
        socket.off('error', failed);
        resolve(new AdminClient(socket, options));
      });
    });
  }

  /**
   * Calls a method.
   *
   * @throws NodeError NODE_ADMIN_REFUSED (`details.code` is the node's own), NODE_ADMIN_UNREACHABLE, NODE_TIMEOUT
   */
  call<M extends AdminMethod>(method: M, params: AdminParams<M>): Promise<AdminResults[M]> {
    return new Promise<unknown>((resolve, reject) => {
      if (this.#failure !== null) return reject(this.#failure);
      const id = ++this.#lastId;
      const limitMs = this.#limitMs(params);
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new NodeError('NODE_TIMEOUT', `the node did not answer ${method} within ${limitMs} ms`));
      }, limitMs);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#socket.write(`${JSON.stringify({ id, method, params })}\n`);
    }) as Promise<AdminResults[M]>;
  }

  /** Ends the connection; calls under way are rejected. */
  close(): void {
    this.#socket.destroy();
  }

  #limitMs(params: AdminParams<AdminMethod>): number {
    const ownLimitMs = 'timeoutMs' in params ? (params.timeoutMs ?? 0) : 0;
    return Math.max(this.#timeoutMs, ownLimitMs + SLACK_MS);
  }

  #take(chunk: Buffer): void {
    const lines = this.#reader.push(chunk);
    if (lines === null) return this.#malformed();
    for (const line of lines) {
      let message: { id?: unknown; result?: unknown; error?: AdminErrorBody };
      try {
        message = JSON.parse(line) as typeof message;
      } catch {
        return this.#malformed();
      }
      this.#settle(message);
    }
  }

  #settle({ id, result, error }: { id?: unknown; result?: unknown; error?: AdminErrorBody }): void {
    const waiting = this.#waiting.get(Number(id));
    if (waiting === undefined) {
      if (id === null && error !== undefined) this.#fail(refused(error));
      return;
    }
    this.#waiting.delete(Number(id));
    clearTimeout(waiting.timer);
    if (error === undefined) waiting.resolve(result);
    else waiting.reject(refused(error));
  }

  #malformed(): void {
    this.#fail(new NodeError('NODE_ADMIN_MALFORMED', 'what the node answered is not of the admin protocol'));
    this.close();
  }

  #fail(error: NodeError): void {
    this.#failure ??= error;
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(this.#failure);
    }
    this.#waiting.clear();
  }
}

function refused({ code, message, retryable, details }: AdminErrorBody): NodeError {
  return new NodeError('NODE_ADMIN_REFUSED', `${message} (${code})`, { ...details, code, retryable });
}

function unreachable(socket: string, cause: Error): NodeError {
  const message = `no node answers at ${socket}: ${cause.message}. Is it running, and is this its configuration?`;
  return new NodeError('NODE_ADMIN_UNREACHABLE', message, { socket }, cause);
}
