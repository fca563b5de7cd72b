import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { StoredDirectory } from '@discovery-raft/discovery-consensus-fsm';
import type { Logger } from '@discovery-raft/raft-core';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { NextRound } from './next-round.js';
import { chooseEncoding, DirectoryPress, entityTag, matchesTag, type PreparedDirectory } from './prepared-directory.js';

/** Time for a request to arrive whole, milliseconds. */
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 15_000;
const MAX_HEADER_BYTES = 8192;
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

/** Health, metrics and the directory over HTTP. It has no secrets and changes nothing; it does not authenticate either. */
export class HttpServer {
  readonly #app: FastifyInstance;
  readonly #host: HttpHost;
  readonly #options: HttpServerOptions;
  readonly #press = new DirectoryPress();
  readonly #next: NextRound;
  readonly #stopListening: () => void;
  /** Responses that are not through yet. */
  readonly #answering = new Set<ServerResponse>();
  #allAnswered: () => void = () => {};
  #closing = false;

  private constructor(host: HttpHost, options: HttpServerOptions) {
    this.#host = host;
    this.#options = options;
    this.#next = new NextRound(options.maxWaiters);
    this.#stopListening = host.onDirectory((directory) => this.#published(directory));
    this.#app = fastify({
      bodyLimit: 1024,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionTimeout: options.maxWaitSeconds * 1000 + REQUEST_TIMEOUT_MS,
      forceCloseConnections: true,
      http: { maxHeaderSize: MAX_HEADER_BYTES },
      schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    });
    this.#app.server.maxConnections = options.maxConnections;
    this.#app.addHook('onRequest', async (_request, { raw }) => this.#begin(raw));
    this.#route();
  }

  /** @throws errors of the system, such as EADDRINUSE */
  static async listen(host: HttpHost, options: HttpServerOptions): Promise<HttpServer> {
    const server = new HttpServer(host, options);
    try {
      await server.#app.listen({ host: options.host, port: options.port });
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  /** The port that it listens at. */
  get port(): number {
    const address = this.#app.server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Requests that wait for the next round. */
  get waiting(): number {
    return this.#next.waiting;
  }

  /** Answers who waits, then ends all connections. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#stopListening();
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
    await this.#app.close();
  }

  #begin(response: ServerResponse): void {
    this.#answering.add(response);
    response.once('close', () => {
      this.#answering.delete(response);
      if (this.#answering.size === 0) this.#allAnswered();
    });
  }

  #route(): void {
    const app = this.#app;
    app.get('/healthz', async (_request, reply) => {
      const failure = this.#host.failure();
      return reply.code(failure === null ? 200 : 500).send({ healthy: failure === null, failure });
    });
    app.get('/readyz', async (_request, reply) => {
      const because = await this.#host.notReadyBecause();
      return reply.code(because.length === 0 ? 200 : 503).send({ ready: because.length === 0, because });
    });
    app.get('/metrics', async (_request, reply) =>
      reply.type('text/plain; version=0.0.4; charset=utf-8').send(await this.#host.metrics()),
    );
    app.get('/trust-roots', async (_request, reply) =>
      reply
        .header('cache-control', 'public, max-age=60')
        .type('application/x-protobuf')
        .send(Buffer.from(this.#host.trustRoots())),
    );
    app.get('/directory', (request, reply) => this.#directory(request, reply));
    app.setNotFoundHandler(async ({ method }, reply) =>
      method === 'GET' || method === 'HEAD'
        ? reply.code(404).send({ error: 'there are /healthz, /readyz, /metrics, /directory and /trust-roots' })
        : reply.code(405).header('allow', 'GET, HEAD').send({ error: 'this is for reading only' }),
    );
    app.setErrorHandler(async (error: Error & { statusCode?: number }, _request, reply) => {
      const status = error.statusCode ?? 500;
      if (status >= 500) this.#options.logger.error('an HTTP request failed', { error });
      return reply.code(status).send({ error: status >= 500 ? 'this should not have happened' : error.message });
    });
  }

  #published(directory: StoredDirectory): void {
    this.#press
      .prepare(directory)
      .catch((error: unknown) => this.#options.logger.error('a directory could not be compressed', { error }))
      .finally(() => this.#next.wake());
  }

  async #directory(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const query = request.query as Readonly<Record<string, string | undefined>>;
    const after = wholeNumber(query['after'], -1);
    const waitSeconds = wholeNumber(query['wait'], 0);
    if (after === undefined || waitSeconds === undefined) {
      return reply.code(400).send({ error: 'after is a round and wait is seconds, both whole numbers from 0' });
    }
    const known = after >= 0 ? after : undefined;
    const result = await this.#newerThan(known, Math.min(waitSeconds, this.#options.maxWaitSeconds), reply);
    if (result === 'overloaded') {
      return reply.code(503).header('retry-after', '5').send({ error: 'too many clients wait for the next round' });
    }
    if (result === null) return reply.code(503).header('retry-after', '5').send({ error: 'there is no directory yet' });
    return this.#send(request, reply, await this.#press.prepare(result), known);
  }

  /** The directory, once it is of a later round than `known` or the time is over. */
  async #newerThan(
    known: number | undefined,
    waitSeconds: number,
    reply: FastifyReply,
  ): Promise<StoredDirectory | null | 'overloaded'> {
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
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
    request: FastifyRequest,
    reply: FastifyReply,
    prepared: PreparedDirectory,
    known: number | undefined,
  ): Promise<FastifyReply> {
    const { stored } = prepared;
    const encoding = chooseEncoding(header(request, 'accept-encoding'), prepared);
    const remaining = Math.max(0, Math.floor(stored.expiration - this.#host.now()));
    const signatures = stored.directory.signatures.length;
    const hasQuorum = stored.round > 0 && signatures >= this.#host.quorumAt(stored.creation);
    reply.headers({
      etag: entityTag(prepared, encoding),
      vary: 'accept-encoding',
      'cache-control': hasQuorum ? `public, max-age=${Math.min(remaining, 60)}` : 'no-cache',
      'last-modified': new Date(stored.creation * 1000).toUTCString(),
      'x-discovery-round': String(stored.round),
      'x-discovery-signatures': String(signatures),
      'x-discovery-quorum': hasQuorum ? 'yes' : 'no',
      'x-discovery-expires': String(stored.expiration),
    });
    if (matchesTag(header(request, 'if-none-match'), prepared) || (known !== undefined && stored.round <= known)) {
      return reply.code(304).send();
    }
    const body = await prepared.body(encoding);
    if (encoding !== 'identity') reply.header('content-encoding', encoding);
    return reply.type('application/x-protobuf').header('content-length', body.bytes).send(Readable.from(body.pieces));
  }
}

/** In place of the compilers of schemas that come with fastify, which are more than two hundred modules to load at a start. */
function noSchemas(): never {
  throw new Error('no route here has a schema; who adds one has to let fastify load its compilers');
}

function header(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

/** A number of a query; the default when it is left out, undefined when it is none. */
function wholeNumber(text: unknown, byDefault: number): number | undefined {
  if (text === undefined) return byDefault;
  return typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
