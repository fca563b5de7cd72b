import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { mkdir, writeFile } from 'node:fs/promises';
import { toBinary } from '@bufbuild/protobuf';
import { DiscoveryDirectorySchema } from '@discovery-raft/protocol';
import { SimulatedClock } from '@discovery-raft/raft-core';
import { ClientError, fetchDirectory, verifyDirectory } from '../src/index.js';
import { testFolder } from './fixtures/folder.js';
import { listing, listingOfRound, network, NOON, signed } from './fixtures/network.js';
import { World } from './fixtures/world.js';

const { root, identities } = network(4);
const directory = signed(listing(), identities);
const bytes = toBinary(DiscoveryDirectorySchema, directory);
const folder = testFolder();
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A web server on loopback. */
async function web(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/directory`;
}

describe('a directory from anywhere', () => {
  test('bytes', async () => {
    await expect(fetchDirectory(bytes)).resolves.toEqual(directory);
  });

  test('a file, by its path and by its URL', async () => {
    const path = folder.path('saved');
    await writeFile(path, bytes);
    await expect(fetchDirectory(path)).resolves.toEqual(directory);
    await expect(fetchDirectory(pathToFileURL(path))).resolves.toEqual(directory);
    await expect(fetchDirectory(pathToFileURL(path).toString())).resolves.toEqual(directory);
  });

  test('any web server, compressed or not', async () => {
    const plain = await web((_, response) => response.end(bytes));
    await expect(fetchDirectory(plain)).resolves.toEqual(directory);
    const zipped = await web((_, response) => {
      response.setHeader('content-encoding', 'gzip').end(gzipSync(bytes));
    });
    await expect(fetchDirectory(new URL(zipped))).resolves.toEqual(directory);
  });

  test('is verified offline like any other', async () => {
    const verdict = await verifyDirectory(await fetchDirectory(bytes), { root, atSeconds: NOON });
    expect(verdict).toMatchObject({ ok: true, items: { length: 3 } });
  });
});

describe('a place that has none', () => {
  test.each<[string, RequestListener, object]>([
    [
      'answers 404',
      (_, response) => response.writeHead(404).end(),
      { code: 'CLIENT_SOURCE_FAILED', message: expect.stringContaining('404'), details: { status: 404 } },
    ],
    ['answers 304 unasked', (_, response) => response.writeHead(304).end(), { details: { status: 304 } }],
    ['hangs up', (request) => request.socket.destroy(), { code: 'CLIENT_SOURCE_FAILED', retryable: true }],
    [
      'breaks off',
      (_, response) => response.writeHead(200, { 'content-length': 1e6 }).write('x', () => response.destroy()),
      { code: 'CLIENT_SOURCE_FAILED' },
    ],
    ['has a web page', (_, response) => response.end('<!doctype html>'), { code: 'CLIENT_BAD_ANSWER' }],
    ['has nothing', (_, response) => response.end(), { code: 'CLIENT_BAD_ANSWER' }],
    [
      'has too much',
      (_, response) => response.end(new Uint8Array(200_000)),
      { code: 'CLIENT_TOO_LARGE', retryable: false },
    ],
    [
      'has too much once it is unpacked',
      (_, response) => response.setHeader('content-encoding', 'gzip').end(gzipSync(new Uint8Array(50_000_000))),
      { code: 'CLIENT_TOO_LARGE' },
    ],
  ])('a web server that %s', async (_, answer, expected) => {
    const url = await web(answer);
    await expect(fetchDirectory(url, { maxDirectoryBytes: 100_000 })).rejects.toMatchObject(expected);
  });

  test('a file that is missing, a folder, one that has too much, one without end', async () => {
    await expect(fetchDirectory(folder.path('missing'))).rejects.toMatchObject({ code: 'CLIENT_SOURCE_FAILED' });
    const path = folder.path('sub');
    await mkdir(path);
    await expect(fetchDirectory(path)).rejects.toMatchObject({ code: 'CLIENT_SOURCE_FAILED' });
    await expect(fetchDirectory(bytes, { maxDirectoryBytes: bytes.length - 1 })).rejects.toMatchObject({
      code: 'CLIENT_TOO_LARGE',
    });
    await expect(fetchDirectory('/dev/zero', { maxDirectoryBytes: 100_000 })).rejects.toMatchObject({
      code: 'CLIENT_TOO_LARGE',
    });
  });

  test('bytes that are no directory', async () => {
    await expect(fetchDirectory(Uint8Array.of(255))).rejects.toBeInstanceOf(ClientError);
    await expect(fetchDirectory(Uint8Array.of(255))).rejects.toMatchObject({ code: 'CLIENT_BAD_ANSWER' });
  });
});

describe('a place that does not answer', () => {
  test('runs into the timeout', async () => {
    const clock = new SimulatedClock();
    const url = await new Promise<string>((resolve, reject) => {
      web(() => undefined).then(resolve, reject);
    });
    const answer = expect(fetchDirectory(url, { clock, timeoutMs: 500 })).rejects.toMatchObject({
      code: 'CLIENT_TIMEOUT',
      retryable: true,
    });
    await clock.advance(500);
    await answer;
  });

  test('can be given up, also beforehand', async () => {
    const stop = new AbortController();
    const url = await web(() => stop.abort());
    await expect(fetchDirectory(url, { signal: stop.signal })).rejects.toMatchObject({ code: 'CLIENT_ABORTED' });
    await expect(fetchDirectory(url, { signal: stop.signal })).rejects.toMatchObject({ code: 'CLIENT_ABORTED' });
  });
});

describe('a client with mirrors', () => {
  test('takes from a mirror what its nodes do not give', async () => {
    const url = await web((_, response) => response.end(bytes));
    const world = new World([{ connection: 'refuse' }]);
    const list = await world.settled(world.client({ root, mirrors: [url] }).getFullList(5000));
    expect(list).toMatchObject({ source: url, directory: { creation: NOON } });
  });

  test('and one that lies is found out', async () => {
    const old = toBinary(DiscoveryDirectorySchema, signed(listingOfRound(-3), identities));
    const url = await web((_, response) => response.end(old));
    const world = new World([]);
    const asked = world.client({ root, nodes: [], mirrors: [url] }).getFullList(5000);
    await expect(world.settled(asked)).rejects.toMatchObject({
      details: { answers: [{ source: url, code: 'expired' }] },
    });
  });
});

describe('a directory that is offered', () => {
  test('is taken under the same rules, and remembered', async () => {
    const world = new World([{ connection: 'refuse' }]);
    const client = world.client({ root });
    await expect(world.settled(client.offer(directory, 'a friend'))).resolves.toMatchObject({ ok: true });
    await expect(world.settled(client.getFullList(100))).resolves.toMatchObject({ source: 'a friend' });
    const old = signed(listingOfRound(-1), identities);
    await expect(world.settled(client.offer(old, 'a friend'))).resolves.toMatchObject({ code: 'rolledBack' });
    const few = signed(listing(), identities.slice(1, 3));
    await expect(world.settled(client.offer(few, 'a friend'))).resolves.toMatchObject({ code: 'quorumMissing' });
  });
});
