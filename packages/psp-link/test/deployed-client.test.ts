import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { DEFAULT_LIMITS, discoveryMessage } from '@discovery-raft/psp-envelope';
import { silentLogger } from '@discovery-raft/raft-core';
import { MessageChannel, newChannelCounters, type PspConnection } from '../src/index.js';
import { credentialsOf } from './fixtures/credentials.js';
import { TestNetwork } from './fixtures/network.js';

// A client as it is deployed, written byte by byte: nothing of this package reads or writes for it.

const SERVER = credentialsOf('server');
const DIRECTORY = Uint8Array.from({ length: 150_000 }, (_, i) => i % 251);
let network: TestNetwork;

beforeEach(() => {
  network = new TestNetwork();
});

afterEach(() => network.close());

/** Answers a PullDiscovery on every stream. */
function serve(connection: PspConnection): void {
  connection.onStream((stream) => {
    new MessageChannel(stream, {
      limits: DEFAULT_LIMITS,
      logger: silentLogger,
      counters: newChannelCounters(),
      receive: ({ event }, channel) => {
        if (event !== 'pullDiscovery') throw new Error(event);
        const body = { directory: DIRECTORY, signatures: [] };
        void channel.send(discoveryMessage('discoveryDirectory', body)).catch(() => {});
      },
    });
  });
}

interface RawCell {
  readonly id: string;
  readonly command: number;
  readonly payload: Buffer;
}

/** The client's socket, what it read, and what each read brought. */
class RawClient {
  readonly socket: TLSSocket;
  readonly chunks: Buffer[] = [];
  #wake: () => void = () => {};

  constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.#wake();
    });
    socket.on('error', () => {});
  }

  static async dial(port: number, maxVersion: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3'): Promise<RawClient> {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, maxVersion });
    await once(socket, 'secureConnect');
    return new RawClient(socket);
  }

  /** Waits until so many bytes are there, and takes them. */
  async cells(count: number): Promise<RawCell[]> {
    for (;;) {
      const cells = split(Buffer.concat(this.chunks));
      if (cells.length >= count) return cells;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  say(hex: string): void {
    this.socket.write(Buffer.from(hex, 'hex'));
  }
}

function split(bytes: Buffer): RawCell[] {
  const cells: RawCell[] = [];
  for (let at = 0; bytes.length - at >= 7;) {
    const command = bytes[at + 4]!;
    const head = command < 128 ? 5 : 7;
    const length = command < 128 ? 509 : bytes.readUInt16BE(at + 5);
    if (bytes.length - at < head + length) break;
    const id = bytes.toString('hex', at, at + 4);
    cells.push({ id, command, payload: bytes.subarray(at + head, at + head + length) });
    at += head + length;
  }
  return cells;
}

const VERSIONS = '00000000' + '80' + '0002' + '0001';
const AUTH_BYPASS = '00000000' + '81' + '0000';
const STREAM_CREATE = '80000001' + '85' + '0004' + '00000002';
/** Length 25, event 2001, `version: "xpx-discovery-1.0"`. */
const PULL = '80000001' + '86' + '0019' + '00000019' + '07d1' + '0a11' + '7870782d646973636f766572792d312e30';

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('a deployed client over %s', (version) => {
  test('pulls the directory', async () => {
    const { port, accepted } = await network.listen({ onConnection: serve });
    const client = await RawClient.dial(port, version);
    network.onEnd(() => client.socket.destroy());
    expect(client.socket.getProtocol()).toBe(version);

    client.say(VERSIONS);
    const [versions, certs, challenge] = await client.cells(3);
    expect(versions).toEqual({ id: '00000000', command: 128, payload: Buffer.from([0, 1]) });
    expect(certs?.command).toBe(130);
    const link = Buffer.from(SERVER.linkCertificate);
    const identity = Buffer.from(SERVER.identityCertificate);
    const size = ({ length }: Buffer): number[] => [length >> 8, length & 0xff];
    expect(certs?.payload).toEqual(
      Buffer.concat([Buffer.from([2, 1, ...size(link)]), link, Buffer.from([2, ...size(identity)]), identity]),
    );
    expect(client.socket.getPeerX509Certificate()?.raw).toEqual(link);
    expect(challenge?.command).toBe(131);
    expect(challenge?.payload.toString('hex').slice(64)).toBe('0002' + '0001' + '0002');

    client.say(AUTH_BYPASS);
    client.say(STREAM_CREATE);
    const created = (await client.cells(4))[3];
    expect(created).toEqual({ id: '80000001', command: 136, payload: Buffer.alloc(0) });
    expect((await accepted()).peer.fingerprint).toBeNull();

    client.say(PULL);
    const relayed = (await client.cells(7)).slice(4);
    expect(relayed.map(({ id, command }) => [id, command])).toEqual(Array(3).fill(['80000001', 134]));
    const message = Buffer.concat(relayed.map(({ payload }) => payload));
    expect([message.readUInt32BE(0), message.readUInt16BE(4)]).toEqual([message.length, 2002]);
    // Field 1 of DiscoveryDirectory, bytes, length 150,000 as a varint.
    expect(message.toString('hex', 6, 10)).toBe('0af09309');
    const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
    expect(sha256(message.subarray(10))).toBe(sha256(DIRECTORY));

    client.say('80000001' + '87' + '0001' + '01');
    client.say('80000003' + '85' + '0004' + '00000002');
    expect((await client.cells(8))[7]).toMatchObject({ id: '80000003', command: 136 });
  });

  test('finds every cell at the begin of a record, and none beside another', async () => {
    const { port } = await network.listen({ onConnection: serve });
    const client = await RawClient.dial(port, version);
    network.onEnd(() => client.socket.destroy());
    client.say(VERSIONS + AUTH_BYPASS + STREAM_CREATE + PULL + PULL);
    const cells = await client.cells(4 + 6);
    // In Node, one record is one chunk; a cell that is longer than a record fills records of its own.
    const boundaries = new Set<number>();
    let at = 0;
    for (const { length } of client.chunks) boundaries.add((at += length));
    let end = 0;
    for (const { command, payload } of cells) {
      end += (command < 128 ? 5 : 7) + payload.length;
      expect(boundaries.has(end)).toBe(true);
    }
    expect(client.chunks.every(({ length }) => length <= 16_384)).toBe(true);
  });
});

test('a client that writes byte by byte is served', async () => {
  const { port } = await network.listen({ onConnection: serve });
  const client = await RawClient.dial(port);
  network.onEnd(() => client.socket.destroy());
  for (const byte of Buffer.from(VERSIONS + AUTH_BYPASS + STREAM_CREATE + PULL, 'hex')) {
    client.socket.write(Buffer.from([byte]));
  }
  expect((await client.cells(7))[6]?.command).toBe(134);
});

test('a circuit is refused with destroy, and the connection goes on', async () => {
  const { port } = await network.listen({ onConnection: serve });
  const client = await RawClient.dial(port);
  network.onEnd(() => client.socket.destroy());
  client.say(VERSIONS + AUTH_BYPASS + '80000009' + '02' + '00'.repeat(509));
  const destroy = (await client.cells(4))[3];
  expect(destroy).toEqual({
    id: '80000009',
    command: 4,
    payload: Buffer.concat([Buffer.from([2]), Buffer.alloc(508)]),
  });
  client.say(STREAM_CREATE);
  expect((await client.cells(5))[4]?.command).toBe(136);
});
