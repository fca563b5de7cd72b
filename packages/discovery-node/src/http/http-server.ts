import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { StoredDirectory } from '@discovery-raft/discovery-consensus-fsm';
import type { Logger } from '@discovery-raft/raft-core';
import { NextRound } from './next-round.js';
import { chooseEncoding, DirectoryPress, entityTag, matchesTag, type PreparedDirectory } from './prepared-directory.js';
import { replyBytes, replyJson, replyPieces } from './replies.js';

/** Time for a request to arrive whole, milliseconds. */
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 15_000;
const MAX_HEADER_BYTES = 8192;
const LATER = { 'retry-after': '5' };
/** Requests that a connection may send before the first of them is answered; one more ends it. */
const MAX_PIPELINED = 16;
/** How long a server that ends waits for its last answers to go out. */
const LAST_ANSWERS_MS = 1000;

/** What the HTTP server tells of. */
export interface HttpHost {
  /** The directory that is served now; null when there is none. */
  directory(): Promise<StoredDirectory | null>;
  /** Calls back when another directory went public; the function that comes back ends it. */
  onDirectory(listener: (directory: StoredDirectory) => void): () => void;
  /** Signatures that make a directory created then, Unix seconds. */
  quorumAt(creation: number): number;
  /** The signed trust roots, as event 2013 carries them. */
  trustRoots(): Uint8Array;
  /** Why the process should be restarted; null while it is well. */
  failure(): string | null;
  /** Why this node does not take part; empty when it does. */
  notReadyBecause(): Promise<readonly string[]>;
  /** Everything that is measured, in Prometheus' text format. */
  metrics(): Promise<string>;
  /** Unix seconds by the node's wall clock. */
  now(): number;
}

/** Options of {@link HttpServer.listen}. */
export interface HttpServerOptions {
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  readonly maxConnections: number;
  readonly maxWaiters: number;
  readonly maxWaitSeconds: number;
  readonly logger: Logger;
}

type Answer = (request: IncomingMessage, response: ServerResponse, query: URLSearchParams) => Promise<void> | void;

/** Health, metrics and the directory over HTTP. It has no secrets and changes nothing; it does not authenticate either. */
export class HttpServer {
  readonly #server: Server;
  readonly #host: HttpHost;
  readonly #options: HttpServerOptions;
  readonly #press = new DirectoryPress();
  readonly #next: NextRound;
  readonly #stopListening: () => void;
  /** By path. */
  readonly #answers: ReadonlyMap<string, Answer>;
  /** Responses that are not through yet. */
  readonly #answering = new Set<ServerResponse>();
  /** How many of those each connection waits for. */
  readonly #underWay = new WeakMap<Socket, number>();
  #allAnswered: () => void = () => {};
  #closing = false;

  private constructor(host: HttpHost, options: HttpServerOptions) {
    this.#host = host;
    this.#options = options;
    this.#next = new NextRound(options.maxWaiters);
    this.#stopListening = host.onDirectory((directory) => this.#published(directory));
    this.#answers = this.#makeAnswers();
    const limits = {
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    };
    this.#server = createServer(limits, (request, response) => void this.#answer(request, response));
    this.#server.setTimeout(options.maxWaitSeconds * 1000 + REQUEST_TIMEOUT_MS);
    this.#server.maxConnections = options.maxConnections;
  }

  /** @throws errors of the system, such as EADDRINUSE */
  static async listen(host: HttpHost, options: HttpServerOptions): Promise<HttpServer> {
    const server = new HttpServer(host, options);
    try {
      server.#server.listen({ host: options.host, port: options.port });
      await once(server.#server, 'listening');
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  /** The port that it listens at. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Requests that wait for the next round. */
  get waiting(): number {
    return this.#next.waiting;
  }

  /** Takes no more connections, answers who waits, then ends all. Idempotent. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#stopListening();
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    this.#next.wake();
    if (this.#answering.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LAST_ANSWERS_MS);
        this.#allAnswered = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#server.closeAllConnections();
    await closed;
  }

  #makeAnswers(): ReadonlyMap<string, Answer> {
    const host = this.#host;
    return new Map<string, Answer>([
      [
        '/healthz',
        (_request, response) => {
          const failure = host.failure();
          replyJson(response, failure === null ? 200 : 500, { healthy: failure === null, failure });
        },
      ],
      [
        '/readyz',
        async (_request, response) => {
          const because = await host.notReadyBecause();
          replyJson(response, because.length === 0 ? 200 : 503, { ready: because.length === 0, because });
        },
      ],
      [
        '/metrics',
        async (_request, response) =>
          replyBytes(response, 200, 'text/plain; version=0.0.4; charset=utf-8', Buffer.from(await host.metrics())),
      ],
      [
        '/trust-roots',
        (_request, response) => {
          const headers = { 'cache-control': 'public, max-age=60' };
          replyBytes(response, 200, 'application/x-protobuf', host.trustRoots(), headers);
        },
      ],
      ['/directory', (request, response, query) => this.#directory(request, response, query)],
    ]);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    const underWay = (this.#underWay.get(socket) ?? 0) + 1;
    // All answers of a connection are made at once, and wait for their turn: thousands of requests take megabytes to ask.
    if (underWay > MAX_PIPELINED) return void socket.destroy();
    this.#underWay.set(socket, underWay);
    this.#answering.add(response);
    response.once('close', () => {
      this.#underWay.set(socket, (this.#underWay.get(socket) ?? 1) - 1);
      this.#answering.delete(response);
      if (this.#answering.size === 0) this.#allAnswered();
    });
    // Nobody here reads a body: whoever sends one has to begin anew.
    if (hasBody(request)) response.setHeader('connection', 'close');
    try {
      const { method, url = '/' } = request;
      if (method !== 'GET' && method !== 'HEAD') {
        return replyJson(response, 405, { error: 'this is for reading only' }, { allow: 'GET, HEAD' });
      }
      const [path = '', ...query] = url.split('?');
      const answer = this.#answers.get(path);
      if (answer === undefined) {
        return replyJson(response, 404, { error: `there are ${[...this.#answers.keys()].join(', ')}` });
      }
      await answer(request, response, new URLSearchParams(query.join('?')));
    } catch (error) {
      this.#options.logger.error('an HTTP request failed', { error });
      if (response.headersSent) response.destroy();
      else replyJson(response, 500, { error: 'this should not have happened' });
    }
  }

  #published(directory: StoredDirectory): void {
    this.#press
      .prepare(directory)
      .catch((error: unknown) => this.#options.logger.error('a directory could not be compressed', { error }))
      .finally(() => this.#next.wake());
  }

  async #directory(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
    const after = wholeNumber(query.getAll('after'), -1);
    const waitSeconds = wholeNumber(query.getAll('wait'), 0);
    if (after === undefined || waitSeconds === undefined) {
      const error = 'after is a round and wait is seconds, both whole numbers from 0';
      return replyJson(response, 400, { error });
    }
    const known = after >= 0 ? after : undefined;
    const result = await this.#newerThan(known, Math.min(waitSeconds, this.#options.maxWaitSeconds), response);
    if (result === 'overloaded') {
      return replyJson(response, 503, { error: 'too many clients wait for the next round' }, LATER);
    }
    if (result === null) return replyJson(response, 503, { error: 'there is no directory yet' }, LATER);
    return this.#send(request, response, await this.#press.prepare(result), known);
  }

  /** The directory, once it is of a later round than `known` or the time is over. */
  async #newerThan(
    known: number | undefined,
    waitSeconds: number,
    response: ServerResponse,
  ): Promise<StoredDirectory | null | 'overloaded'> {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const until = performance.now() + waitSeconds * 1000;
    for (;;) {
      const current = await this.#host.directory();
      const leftMs = until - performance.now();
      const waited = known === undefined ? current !== null : current !== null && current.round > known;
      if (waited || leftMs <= 0 || this.#closing || gone.signal.aborted) return current;
      if (!(await this.#next.wait(leftMs, gone.signal))) return 'overloaded';
    }
  }

  async #send(
    request: IncomingMessage,
    response: ServerResponse,
    prepared: PreparedDirectory,
    known: number | undefined,
  ): Promise<void> {
    const { stored } = prepared;
    const encoding = chooseEncoding(header(request, 'accept-encoding'), prepared);
    const remaining = Math.max(0, Math.floor(stored.expiration - this.#host.now()));
    const signatures = stored.directory.signatures.length;
    const hasQuorum = stored.round > 0 && signatures >= this.#host.quorumAt(stored.creation);
    const headers = {
      etag: entityTag(prepared, encoding),
      vary: 'accept-encoding',
      'cache-control': hasQuorum ? `public, max-age=${Math.min(remaining, 60)}` : 'no-cache',
      'last-modified': new Date(stored.creation * 1000).toUTCString(),
      'x-discovery-round': String(stored.round),
      'x-discovery-signatures': String(signatures),
      'x-discovery-quorum': hasQuorum ? 'yes' : 'no',
      'x-discovery-expires': String(stored.expiration),
    };
    if (matchesTag(header(request, 'if-none-match'), prepared) || (known !== undefined && stored.round <= known)) {
      return void response.writeHead(304, headers).end();
    }
    const body = await prepared.body(encoding);
    const encoded = encoding === 'identity' ? headers : { ...headers, 'content-encoding': encoding };
    await replyPieces(response, 'application/x-protobuf', body, encoded);
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

/** A number of a query; the default when it is left out, undefined when it is none, or there are several. */
function wholeNumber(texts: readonly string[], byDefault: number): number | undefined {
  const [text, ...more] = texts;
  if (text === undefined) return byDefault;
  return more.length === 0 && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
