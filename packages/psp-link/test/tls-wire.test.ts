import { once } from 'node:events';
import { connect, createServer, type TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { ReadBuffer } from '../src/connection/read-buffer.js';
import { serverContextOptions, TLS_OPTIONS } from '../src/connection/tls-options.js';
import { TlsWire } from '../src/connection/tls-wire.js';
import { credentialsOf } from './fixtures/credentials.js';

const MESSAGE = Uint8Array.from({ length: 200_000 }, (_, at) => at % 251);

const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A wire that dialled, with or without a buffer of its own to read in, and the socket at its other end. */
async function connected(readBuffer: ReadBuffer | undefined): Promise<[TlsWire, TLSSocket]> {
  const server = createServer({ ...TLS_OPTIONS, ...serverContextOptions(credentialsOf('server')) }).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  const accepted = once(server, 'secureConnection');
  const { port } = server.address() as AddressInfo;
  const host = '127.0.0.1';
  const extra = readBuffer === undefined ? {} : { onread: readBuffer.option };
  const socket = connect({ ...TLS_OPTIONS, host, port, rejectUnauthorized: false, ...extra });
  await once(socket, 'secureConnect');
  const wire = new TlsWire(socket, host, readBuffer);
  const [far] = (await accepted) as [TLSSocket];
  closers.push(() => {
    wire.destroy();
    far.destroy();
    server.close();
  });
  return [wire, far];
}

describe.each([
  ['a buffer that is used again', () => new ReadBuffer()],
  ['memory of its own each time', () => undefined],
])('a wire that reads into %s', (_, readBufferOf) => {
  test('brings everything in order, the end last, and nothing between a pause and a resume', async () => {
    const [wire, far] = await connected(readBufferOf());
    const chunks: Uint8Array[] = [];
    let isPaused = false;
    let whilePaused = 0;
    const ended = new Promise<number>((resolve) => {
      wire.attach({
        data: (chunk) => {
          if (isPaused) whilePaused++;
          chunks.push(chunk.slice());
          isPaused = true;
          wire.pause();
          setImmediate(() => {
            isPaused = false;
            wire.resume();
          });
        },
        closed: (error) => {
          expect(error).toBeNull();
          resolve(chunks.length);
        },
      });
    });
    far.end(MESSAGE);
    expect(await ended).toBe(chunks.length);
    expect(whilePaused).toBe(0);
    expect(Buffer.concat(chunks).equals(MESSAGE)).toBe(true);
  });

  test('keeps what comes until somebody listens, and for the next listener what comes after a pause', async () => {
    const [wire, far] = await connected(readBufferOf());
    far.write(MESSAGE.subarray(0, 5));
    await new Promise((resolve) => setImmediate(resolve));
    const first = await new Promise<Uint8Array>((resolve) =>
      wire.attach({
        data: (chunk) => {
          wire.pause();
          resolve(chunk.slice());
        },
        closed: () => {},
      }),
    );
    far.write(MESSAGE.subarray(5, 10));
    const second = new Promise<Uint8Array>((resolve) =>
      wire.attach({ data: (chunk) => resolve(chunk.slice()), closed: () => {} }),
    );
    wire.resume();
    expect([...first, ...(await second)]).toEqual([...MESSAGE.subarray(0, 10)]);
  });
});
