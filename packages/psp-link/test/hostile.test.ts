import { once } from 'node:events';
import { connect as connectTcp, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { encodeCell } from '../src/cells/cell.js';
import { Command } from '../src/cells/command.js';
import { encodeVersions } from '../src/cells/handshake-cells.js';
import { addressGroup } from '../src/connection/address-count.js';
import { fingerprintOfCredentials, linkLimits, type LinkErrorCode, type PspListener } from '../src/index.js';
import { credentialsOf } from './fixtures/credentials.js';
import { ended, TestNetwork } from './fixtures/network.js';

const VERSIONS = encodeCell(0, Command.versions, encodeVersions([1]));
const BYPASS = encodeCell(0, Command.authBypass);
let network: TestNetwork;

beforeEach(() => {
  network = new TestNetwork();
});

afterEach(() => network.close());

/** A TCP connection; resolves when there is one. */
async function tcp(port: number): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  network.onEnd(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

async function tls(port: number): Promise<{ readonly secure: TLSSocket; readonly below: Socket }> {
  const below = await tcp(port);
  const secure = connectTls({ socket: below, rejectUnauthorized: false });
  secure.on('error', () => {});
  network.onEnd(() => secure.destroy());
  await Promise.race([
    once(secure, 'secureConnect'),
    once(secure, 'close').then(() => {
      throw new Error('the listener closed the connection during TLS');
    }),
  ]);
  return { secure, below };
}

/** Resolves when the far end has ended the connection, in order or not. */
async function gone(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve));
}

async function refusedBy(listener: PspListener): Promise<Partial<Record<LinkErrorCode, number>>> {
  await listener.close();
  return listener.counters.refused;
}

describe('a slow client', () => {
  test('that never begins with TLS dies by the deadline', async () => {
    const { port, listener } = await network.listen({ limits: { tlsTimeoutMs: 50 } });
    await gone(await tcp(port));
    expect(await refusedBy(listener)).toEqual({ LINK_TIMEOUT: 1 });
  });

  test('that says nothing after TLS dies by the deadline', async () => {
    const { port, listener } = await network.listen({ limits: { stepTimeoutMs: 50 } });
    await gone((await tls(port)).secure);
    expect(await refusedBy(listener)).toEqual({ LINK_TIMEOUT: 1 });
  });

  test('that trickles cells which mean nothing dies by the deadline of the whole handshake', async () => {
    const { port, listener } = await network.listen({ limits: { handshakeTimeoutMs: 1000 } });
    const { secure: socket } = await tls(port);
    socket.write(VERSIONS);
    const trickle = setInterval(() => socket.write(encodeCell(0, Command.padding).subarray(0, 7)), 10);
    network.onEnd(() => clearInterval(trickle));
    await gone(socket);
    expect(await refusedBy(listener)).toEqual({ LINK_TIMEOUT: 1 });
  });

  test('does not hold others up', async () => {
    const { port } = await network.listen();
    await Promise.all(Array.from({ length: 20 }, () => tcp(port)));
    expect((await network.connect(port)).open).toBe(true);
  });
});

describe('bytes that are no handshake', () => {
  test.each<[string, Uint8Array, LinkErrorCode]>([
    ['no versions first', BYPASS, 'LINK_UNEXPECTED_CELL'],
    ['a cell longer than the handshake has', Uint8Array.of(0, 0, 0, 0, 128, 0xff, 0xff), 'LINK_TOO_LARGE'],
    ['half a version', encodeCell(0, Command.versions, Uint8Array.of(1)), 'LINK_MALFORMED'],
    ['no version of ours', encodeCell(0, Command.versions, encodeVersions([2])), 'LINK_NO_COMMON_VERSION'],
  ])('end the connection: %s', async (_, bytes, code) => {
    const { port, listener } = await network.listen();
    const { secure: socket } = await tls(port);
    socket.write(bytes);
    await gone(socket);
    expect(await refusedBy(listener)).toEqual({ [code]: 1 });
  });

  test('garbage instead of TLS, and a client that leaves in the middle of TLS', async () => {
    const { port, listener, accepted } = await network.listen();
    const garbage = await tcp(port);
    garbage.write('GET / HTTP/1.1\r\n\r\n');
    await gone(garbage);
    const leaver = await tcp(port);
    // The begin of a ClientHello.
    leaver.end(Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3));
    await gone(leaver);
    await Promise.all([network.connect(port), accepted()]);
    expect(await refusedBy(listener)).toEqual({ LINK_TLS_FAILED: 2 });
  });

  test('a client that resets the connection during the handshake, and after it', async () => {
    const { port, listener, accepted } = await network.listen();
    const early = await tls(port);
    early.secure.write(VERSIONS);
    await once(early.secure, 'data');
    early.below.resetAndDestroy();
    const late = await tls(port);
    late.secure.write(Buffer.concat([VERSIONS, BYPASS]));
    const connection = await accepted();
    late.below.resetAndDestroy();
    const error = await ended(connection);
    expect(error === null || error.code === 'LINK_CONNECTION_CLOSED').toBe(true);
    expect(Object.keys(await refusedBy(listener))).toEqual(['LINK_CONNECTION_CLOSED']);
  });
});

describe('a flood of connections', () => {
  test.each([
    ['of one address', { maxConnectionsPerAddress: 3 }],
    ['in total', { maxConnections: 3 }],
  ])('is refused before TLS, %s; room comes back', async (_, limits) => {
    const { port, listener, accepted } = await network.listen({ limits });
    const first = [await network.connect(port), await network.connect(port), await network.connect(port)];
    await Promise.all(Array.from({ length: 30 }, async () => gone(await tcp(port))));
    await expect(network.connect(port)).rejects.toMatchObject({ retryable: true });
    expect(listener.counters).toMatchObject({
      connectionsOpen: 3,
      connectionsAccepted: 34,
      refused: { LINK_TOO_MANY_CONNECTIONS: 31 },
    });
    const end = ended(await accepted());
    first[0]!.close();
    await end;
    expect((await network.connect(port)).open).toBe(true);
    expect(first[1]!.open).toBe(true);
  });

  test('in their handshake is bounded apart', async () => {
    const { port, listener } = await network.listen({ limits: { maxHandshakes: 5 } });
    const idle = await Promise.all(Array.from({ length: 5 }, () => tls(port)));
    await gone(await tcp(port));
    expect(listener.counters).toMatchObject({ handshakesOpen: 5, refused: { LINK_TOO_MANY_CONNECTIONS: 1 } });
    const opened = once(idle[0]!.secure, 'close');
    idle[0]!.secure.destroy();
    await opened;
    // The listener learns of it in its own time.
    let connection;
    while (connection === undefined) connection = await network.connect(port).catch(() => undefined);
    expect(connection.open).toBe(true);
  });

  test('an address is counted by what one customer has', () => {
    const groups = ['192.0.2.1', '::ffff:192.0.2.1', '2001:db8::1', '2001:db8:0:0:ffff::2', '2001:0db8::9%eth0', '::1'];
    expect(groups.map(addressGroup)).toEqual([
      '192.0.2.1',
      '192.0.2.1',
      '2001:db8:0:0::/64',
      '2001:db8:0:0::/64',
      '2001:db8:0:0::/64',
      '0:0:0:0::/64',
    ]);
  });
});

describe('a listener that is not one', () => {
  async function fake(answer: (socket: Socket) => void): Promise<number> {
    const server = createTcpServer((socket) => {
      socket.on('error', () => {});
      network.onEnd(() => socket.destroy());
      answer(socket);
    });
    server.listen(0, '127.0.0.1');
    network.onEnd(() => server.close());
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  test('says nothing', async () => {
    const port = await fake(() => {});
    await expect(network.connect(port, { limits: { tlsTimeoutMs: 50 } })).rejects.toMatchObject({
      code: 'LINK_TIMEOUT',
    });
    await expect(network.connect(port, { timeoutMs: 40 })).rejects.toMatchObject({ code: 'LINK_TIMEOUT' });
  });

  test('speaks something else, or leaves', async () => {
    const other = await fake((socket) => socket.write('220 ready\r\n'));
    await expect(network.connect(other)).rejects.toMatchObject({ code: 'LINK_TLS_FAILED' });
    const rude = await fake((socket) => socket.destroy());
    await expect(network.connect(rude)).rejects.toMatchObject({ retryable: true });
  });

  test('is another one, by a relay that cannot read what it carries', async () => {
    const { port } = await network.listen();
    const relay = await fake((socket) => {
      const onward = connectTcp({ host: '127.0.0.1', port });
      onward.on('error', () => {});
      socket.pipe(onward).pipe(socket);
    });
    const credentials = credentialsOf('ada');
    const expectedFingerprint = fingerprintOfCredentials(credentialsOf('server'));
    expect((await network.connect(relay, { credentials, expectedFingerprint })).open).toBe(true);
  });
});

test('a callback that throws costs its connection, and nothing else', async () => {
  const { port, listener } = await network.listen({
    trusted: () => {
      throw new Error('the list of peers is gone');
    },
    onConnection: () => {
      throw new Error('not now');
    },
  });
  await ended(await network.connect(port, { credentials: credentialsOf('ada') }));
  await ended(await network.connect(port));
  expect(await refusedBy(listener)).toEqual({ LINK_INTERNAL: 1 });
});

test('limits are whole numbers above 0', () => {
  for (const limits of [
    { maxStreams: 0 },
    { tlsTimeoutMs: 1.5 },
    { maxHandshakeCellBytes: 65_536 },
    { minRsaBits: NaN },
  ]) {
    expect(() => linkLimits(limits)).toThrow('[LINK_INVALID_OPTION]');
  }
});
