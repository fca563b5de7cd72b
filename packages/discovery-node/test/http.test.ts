import { hash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { gunzipSync, brotliDecompressSync } from 'node:zlib';
import { request, type IncomingMessage } from 'node:http';
import { create, toBinary } from '@bufbuild/protobuf';
import type { StoredDirectory } from '@discovery-raft/discovery-consensus-fsm';
import { DiscoveryDirectorySchema } from '@discovery-raft/protocol';
import { silentLogger } from '@discovery-raft/raft-core';
import { HttpServer, type HttpHost } from '../src/http/http-server.js';

const NOW = 2_000_000_000;

function directoryOf(round: number, signatures = 3): StoredDirectory {
  const bytes = new Uint8Array(20_000).fill(round);
  return {
    round,
    creation: NOW - 100,
    expiration: NOW + 500,
    digest: hash('sha256', bytes, 'buffer'),
    items: 7,
    directory: create(DiscoveryDirectorySchema, {
      directory: bytes,
      signatures: Array.from({ length: signatures }, () => ({
        certificate: bytes.slice(0, 9),
        signature: new Uint8Array(64),
      })),
    }),
  };
}

class FakeHost implements HttpHost {
  readonly quorumAt = () => 3;
  readonly trustRoots = () => Uint8Array.of(1, 2);
  served: StoredDirectory | null = null;
  failed: string | null = null;
  because: readonly string[] = [];
  readonly #listeners = new Set<(directory: StoredDirectory) => void>();

  get listeners(): number {
    return this.#listeners.size;
  }
  directory(): Promise<StoredDirectory | null> {
    return Promise.resolve(this.served);
  }
  onDirectory(listener: (directory: StoredDirectory) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  publish(directory: StoredDirectory): void {
    this.served = directory;
    for (const listener of this.#listeners) listener(directory);
  }
  failure(): string | null {
    return this.failed;
  }
  notReadyBecause(): Promise<readonly string[]> {
    return Promise.resolve(this.because);
  }
  metrics(): Promise<string> {
    return Promise.resolve('a_metric 1\n');
  }
  now(): number {
    return NOW;
  }
}

let host: FakeHost;
let server: HttpServer;
let logged: string[];

const listen = (port: number): Promise<HttpServer> =>
  HttpServer.listen(host, {
    host: '127.0.0.1',
    port,
    maxConnections: 20,
    maxWaiters: 2,
    maxWaitSeconds: 60,
    logger: { ...silentLogger, error: (text) => void logged.push(text) },
  });

beforeEach(async () => {
  host = new FakeHost();
  logged = [];
  server = await listen(0);
});
afterEach(() => server.close());

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

function get(path: string, headers: Record<string, string> = {}, method = 'GET', sent = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ port: server.port, host: '127.0.0.1', path, method, headers, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) }),
      );
    });
    asked.on('error', reject);
    asked.end(sent);
  });
}

const json = ({ body }: Answer): unknown => JSON.parse(body.toString());

describe('health', () => {
  test('healthz tells of a failure, readyz why no client should come', async () => {
    expect(await get('/healthz')).toMatchObject({ status: 200 });
    expect(await get('/readyz')).toMatchObject({ status: 200 });
    host.failed = 'the disk is full';
    host.because = ['it knows no leader'];
    const health = await get('/healthz');
    expect([health.status, json(health)]).toEqual([500, { healthy: false, failure: 'the disk is full' }]);
    const ready = await get('/readyz');
    expect([ready.status, json(ready)]).toEqual([503, { ready: false, because: ['it knows no leader'] }]);
  });

  test('metrics are the text of Prometheus', async () => {
    const { status, headers, body } = await get('/metrics');
    expect([status, body.toString()]).toEqual([200, 'a_metric 1\n']);
    expect(headers['content-type']).toContain('text/plain; version=0.0.4');
  });

  test('the trust roots are there as they are, for whoever walks from an older one', async () => {
    expect(await get('/trust-roots')).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/x-protobuf' },
      body: Buffer.from([1, 2]),
    });
  });

  test('other places are told what there is; other methods are refused', async () => {
    expect(await get('/')).toMatchObject({ status: 404 });
    expect(await get('/directory', {}, 'POST')).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
    expect(await get('//')).toMatchObject({ status: 404 });
    const { headers, body } = await get('/metrics', {}, 'HEAD');
    expect([headers['content-length'], body.length]).toEqual(['11', 0]);
  });

  test('nobody reads a body: who sends one is answered, and the connection ended', async () => {
    for (const [method, status] of [
      ['GET', 200],
      ['POST', 405],
    ] as const) {
      const answer = get('/healthz', { 'content-length': '5', connection: 'keep-alive' }, method, 'hello');
      expect(await answer).toMatchObject({ status, headers: { connection: 'close' } });
    }
    expect((await get('/healthz', { connection: 'keep-alive' })).headers.connection).toBe('keep-alive');
  });

  test('what fails inside is told to the log, not to the client', async () => {
    host.notReadyBecause = () => Promise.reject(new Error('a secret'));
    const answer = await get('/readyz');
    expect([answer.status, json(answer)]).toEqual([500, { error: 'this should not have happened' }]);
    expect(logged).toEqual(['an HTTP request failed']);
  });
});

describe('the directory', () => {
  test('none yet: try again later', async () => {
    expect(await get('/directory')).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
  });

  test('the protobuf bytes, with round, signatures and dates', async () => {
    host.publish(directoryOf(9));
    const { status, headers, body } = await get('/directory');
    expect(status).toBe(200);
    expect(body).toEqual(Buffer.from(toBinary(DiscoveryDirectorySchema, directoryOf(9).directory)));
    expect(headers).toMatchObject({
      'content-type': 'application/x-protobuf',
      'x-discovery-round': '9',
      'x-discovery-signatures': '3',
      'x-discovery-quorum': 'yes',
      'x-discovery-expires': String(NOW + 500),
      'cache-control': 'public, max-age=60',
      'last-modified': new Date((NOW - 100) * 1000).toUTCString(),
    });
    const head = await get('/directory', {}, 'HEAD');
    expect([head.headers['content-length'], head.body.length]).toEqual([headers['content-length'], 0]);
  });

  test('one without a quorum says so', async () => {
    host.publish(directoryOf(9, 2));
    expect((await get('/directory')).headers).toMatchObject({
      'x-discovery-quorum': 'no',
      'cache-control': 'no-cache',
    });
    host.publish(directoryOf(0, 5));
    expect((await get('/directory')).headers).toMatchObject({ 'x-discovery-quorum': 'no', 'x-discovery-round': '0' });
  });

  test.each([
    ['gzip', 'gzip', gunzipSync],
    ['br', 'gzip, br', brotliDecompressSync],
    ['br', 'br;q=0.1', brotliDecompressSync],
    ['gzip', 'br;q=0, *', gunzipSync],
    [undefined, 'deflate', (body: Buffer) => body],
    [undefined, 'gzip;q=0', (body: Buffer) => body],
  ])('compressed as %s for Accept-Encoding: %s', async (encoding, accept, inflate) => {
    host.publish(directoryOf(9));
    const { headers, body } = await get('/directory', { 'accept-encoding': accept });
    expect(headers['content-encoding']).toBe(encoding);
    expect(headers['vary']).toBe('accept-encoding');
    expect(inflate(body)).toEqual(Buffer.from(toBinary(DiscoveryDirectorySchema, directoryOf(9).directory)));
    if (encoding !== undefined) expect(body.length).toBeLessThan(2000);
  });

  test('an interim one is not compressed', async () => {
    host.publish(directoryOf(0));
    expect((await get('/directory', { 'accept-encoding': 'br' })).headers['content-encoding']).toBeUndefined();
  });

  test('who has it is told that nothing changed, whatever the encoding', async () => {
    host.publish(directoryOf(9));
    const tags = new Set<string>();
    for (const accept of ['identity', 'gzip', 'br']) {
      const { etag } = (await get('/directory', { 'accept-encoding': accept })).headers;
      tags.add(etag!);
      for (const given of [etag!, `W/${etag}`, `"other", ${etag}`, '*']) {
        const again = await get('/directory', { 'if-none-match': given });
        expect([again.status, again.body.length]).toEqual([304, 0]);
      }
    }
    expect(tags.size).toBe(3);
    expect(await get('/directory', { 'if-none-match': '"other"' })).toMatchObject({ status: 200 });
    const [first] = tags;
    host.publish(directoryOf(10));
    expect(await get('/directory', { 'if-none-match': first! })).toMatchObject({ status: 200 });
  });
});

describe('waiting for the next round', () => {
  test('at once when there is a newer one; 304 when the time is over', async () => {
    host.publish(directoryOf(9));
    expect(await get('/directory?after=8&wait=60')).toMatchObject({ status: 200 });
    expect(await get('/directory?after=9')).toMatchObject({ status: 304 });
    expect(await get('/directory?after=9&wait=0')).toMatchObject({ status: 304 });
  });

  test('answered when the next one is there', async () => {
    host.publish(directoryOf(9));
    const waiting = get('/directory?after=9&wait=60');
    await get('/healthz');
    host.publish(directoryOf(9));
    host.publish(directoryOf(10));
    const { status, headers } = await waiting;
    expect([status, headers['x-discovery-round']]).toEqual([200, '10']);
  });

  test('no more than so many wait; who hangs up makes room', async () => {
    host.publish(directoryOf(9));
    const hangUps = await Promise.all(
      [1, 2].map(
        () =>
          new Promise<() => void>((resolve) => {
            const asked = request({ port: server.port, host: '127.0.0.1', path: '/directory?after=9&wait=60' });
            asked.on('error', () => {});
            asked.on('finish', () => resolve(() => asked.destroy()));
            asked.end();
          }),
      ),
    );
    let refused = await get('/directory?after=9&wait=1');
    // The two may still be on their way when the third comes, which then waits its second in vain.
    while (refused.status === 304) refused = await get('/directory?after=9&wait=1');
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
    for (const hangUp of hangUps) hangUp();
    let again = await get('/directory?after=9&wait=1');
    while (again.status === 503) again = await get('/directory?after=9&wait=1');
    expect(again.status).toBe(304);
  });

  test.each(['after=x', 'after=-1', 'after=1.5', 'after=9&wait=long', 'after=1&after=2', `after=${'9'.repeat(40)}`])(
    'a question that makes no sense is refused: %s',
    async (query) => {
      host.publish(directoryOf(9));
      expect(await get(`/directory?${query}`)).toMatchObject({ status: 400 });
    },
  );

  test('when the server ends, who waits is answered, and nobody listens any more', async () => {
    host.publish(directoryOf(9));
    const waiting = get('/directory?after=9&wait=60');
    while (server.waiting === 0) await get('/healthz');
    await server.close();
    expect(await waiting).toMatchObject({ status: 304 });
    expect(host.listeners).toBe(0);
  });
});

test('a port that is taken is an error, and nothing is left behind', async () => {
  await expect(listen(server.port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  expect(host.listeners).toBe(1);
});

test('who hangs up in the middle of a directory harms nobody', async () => {
  const large = directoryOf(9);
  large.directory.directory = new Uint8Array(30_000_000);
  host.publish(large);
  await new Promise<void>((resolve) => {
    const asked = request({ port: server.port, host: '127.0.0.1', path: '/directory', agent: false }, (response) => {
      response.once('data', () => asked.destroy());
      response.once('close', resolve);
    });
    asked.on('error', () => undefined);
    asked.end();
  });
  expect(await get('/healthz')).toMatchObject({ status: 200 });
  expect(logged).toEqual([]);
});

test('a header that is too long ends its connection and harms nobody else', async () => {
  const tooLong = await get('/healthz', { 'x-long': 'x'.repeat(20_000) }).catch(() => null);
  expect(tooLong?.status ?? 431).toBe(431);
  expect(await get('/healthz')).toMatchObject({ status: 200 });
});

describe('requests that do not wait for answers', () => {
  /** Sends so many at once on one connection, and reads what comes until it ends or nothing comes any more. */
  async function pipelined(requests: number, query = ''): Promise<string> {
    const socket = connect(server.port, '127.0.0.1');
    let text = '';
    const ended = once(socket, 'close').catch(() => undefined);
    socket.on('error', () => undefined);
    socket.setEncoding('latin1').on('data', (piece: string) => (text += piece));
    const last = 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    socket.write(`GET /metrics${query} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(requests - 1) + last);
    await ended;
    return text;
  }
  const answers = (text: string): number => text.split('HTTP/1.1 200').length - 1;

  test('some are answered in turn', async () => {
    expect(answers(await pipelined(10))).toBe(10);
  });

  test('thousands end their connection, and are not answered all at once', async () => {
    const asked = jest.spyOn(host, 'metrics');
    expect(answers(await pipelined(5000))).toBeLessThanOrEqual(16);
    expect(asked.mock.calls.length).toBeLessThanOrEqual(16);
    expect((await get('/healthz')).status).toBe(200);
  });
});
