import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Logger } from '@discovery-raft/raft-core';
import { z } from 'zod';
import { codeOf } from '../directory/durable-file.js';
import { NodeError } from '../errors.js';
import { AdminError, errorBody, invalidParams } from './admin-error.js';
import { LineReader } from './line-reader.js';
import {
  adminParams,
  MAX_REQUEST_BYTES,
  type AdminMethod,
  type AdminResults,
  type CompleteParams,
} from './protocol.js';

/** What answers each method. */
export type AdminHandlers = {
  readonly [M in AdminMethod]: (params: CompleteParams<M>) => Promise<AdminResults[M]> | AdminResults[M];
};

/** Options of {@link AdminServer.listen}. */
export interface AdminServerOptions {
  /** Path of the socket, at most about 100 bytes. One that no process listens at is replaced. */
  readonly socket: string;
  readonly handlers: AdminHandlers;
  readonly logger: Logger;
  /** Connections at once. Default 64. */
  readonly maxConnections?: number;
  /** Requests under way on one connection; more are refused. Default 64. */
  readonly maxRequests?: number;
  /** How long a line may take from its first byte to its end. Default 10,000. */
  readonly lineTimeoutMs?: number;
}

const requestSchema = z.strictObject({
  id: z.union([z.int(), z.string().max(64)]),
  method: z.string().max(64),
  params: z.unknown().optional(),
});

/** Answers the command line at a Unix domain socket that only the own user may open. */
export class AdminServer {
  readonly #options: AdminServerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(options: AdminServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.maxConnections = options.maxConnections ?? 64;
  }

  /** @throws NodeError NODE_DATA_LOCKED when another process answers there, NODE_LISTEN_FAILED */
  static async listen(options: AdminServerOptions): Promise<AdminServer> {
    const { socket } = options;
    const server = new AdminServer(options);
    try {
      await clearSocket(socket);
      await server.#listen();
    } catch (error) {
      if (error instanceof NodeError) throw error;
      const message = `there can be no admin socket ${socket}: its folder must exist, and be this user's to write to`;
      throw new NodeError('NODE_LISTEN_FAILED', message, { socket }, error);
    }
    return server;
  }

  /** Ends all connections and removes the socket. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroySoon();
    await closed;
  }

  async #listen(): Promise<void> {
    const { socket } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      // The name is made within this call, and the mask makes it private from its first moment on.
      const mask = process.umask(0o177);
      this.#server.listen(socket, resolve);
      process.umask(mask);
    });
    await chmod(socket, 0o600);
    this.#server.on('error', (error) => this.#options.logger.error('the admin socket failed', { error }));
  }

  #serve(socket: Socket): void {
    const { maxRequests = 64, lineTimeoutMs = 10_000 } = this.#options;
    const reader = new LineReader(MAX_REQUEST_BYTES);
    let underWay = 0;
    let deadline: NodeJS.Timeout | undefined;
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(deadline);
      this.#sockets.delete(socket);
    });
    socket.on('data', (chunk: Buffer) => {
      const lines = reader.push(chunk);
      if (lines === null) return end(socket, null, new AdminError('ADMIN_TOO_LARGE', 'a request is too long'));
      clearTimeout(deadline);
      if (reader.midLine) deadline = setTimeout(() => socket.destroy(), lineTimeoutMs);
      for (const line of lines) {
        const request = requestOf(line);
        if (request === undefined) return end(socket, null, new AdminError('ADMIN_MALFORMED', 'that is no request'));
        if (underWay >= maxRequests) {
          const error = new AdminError('ADMIN_OVERLOADED', 'too many requests at once', { retryable: true });
          answer(socket, { id: request.id, error: errorBody(error) });
          continue;
        }
        underWay++;
        void this.#answer(socket, request).finally(() => underWay--);
      }
    });
    // Who does not read its answers is not read either, or they would gather here.
    socket.on('drain', () => socket.resume());
  }

  async #answer(socket: Socket, { id, method, params }: z.infer<typeof requestSchema>): Promise<void> {
    try {
      answer(socket, { id, result: await this.#call(method, params) });
    } catch (error) {
      const body = errorBody(error);
      if (body.code === 'ADMIN_FAILED') this.#options.logger.error('an admin request failed', { method, error });
      answer(socket, { id, error: body });
    }
  }

  async #call(method: string, params: unknown): Promise<unknown> {
    if (!isMethod(method)) throw new AdminError('ADMIN_UNKNOWN_METHOD', `there is no method ${method}`);
    const parsed = adminParams[method].safeParse(params ?? {});
    if (!parsed.success) throw invalidParams(parsed.error);
    // The table of handlers and that of parameters have the same keys; of one call the compiler cannot see that.
    const handler = this.#options.handlers[method] as (params: unknown) => unknown;
    return handler(parsed.data);
  }
}

function isMethod(method: string): method is AdminMethod {
  return Object.hasOwn(adminParams, method);
}

function requestOf(line: string): z.infer<typeof requestSchema> | undefined {
  try {
    const parsed = requestSchema.safeParse(JSON.parse(line));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

function answer(socket: Socket, body: Readonly<Record<string, unknown>>): void {
  if (!socket.writable) return;
  if (!socket.write(`${JSON.stringify(body)}\n`)) socket.pause();
}

function end(socket: Socket, id: null, error: AdminError): void {
  answer(socket, { id, error: errorBody(error) });
  socket.destroySoon();
}

/** Removes a socket that a process left behind which ended without warning. */
async function clearSocket(socket: string): Promise<void> {
  const found = await lstat(socket).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  });
  if (found === null) return;
  if (!found.isSocket()) {
    const message = `${socket} is no socket, and stays as it is: give admin.socket a path of its own`;
    throw new NodeError('NODE_LISTEN_FAILED', message, { socket });
  }
  const answered = await new Promise<boolean>((resolve, reject) => {
    const probe = connect(socket);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error) => {
      const code = codeOf(error);
      if (code === 'ENOENT' || code === 'ECONNREFUSED') resolve(false);
      else reject(error);
    });
  });
  if (answered) throw new NodeError('NODE_DATA_LOCKED', `another process answers at ${socket}`, { socket });
  await unlink(socket).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
  });
}
