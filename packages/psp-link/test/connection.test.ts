import type { X509Certificate } from 'node:crypto';
import { connect as connectTls, TLSSocket, type SecureVersion } from 'node:tls';
import { once } from 'node:events';
import { connectPsp, fingerprintOfCredentials, linkLimits, type PspConnection, type PspStream } from '../src/index.js';
import { TLS_OPTIONS } from '../src/connection/tls-options.js';
import { credentialsOf } from './fixtures/credentials.js';
import { ended, realClock, TestNetwork } from './fixtures/network.js';

const SERVER = credentialsOf('server');
const ADA = credentialsOf('ada');
let network: TestNetwork;

beforeEach(() => {
  network = new TestNetwork();
});

afterEach(() => network.close());

function nextStream(connection: PspConnection): Promise<PspStream> {
  return new Promise((resolve) => connection.onStream(resolve));
}

function collect(stream: PspStream, count: number): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  return new Promise((resolve) => {
    stream.onPiece((piece) => {
      pieces.push(piece.slice());
      if (pieces.length === count) resolve(pieces);
    });
  });
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('with nothing but %s', (version) => {
  const versions: { maxVersion: SecureVersion; minVersion: SecureVersion } = TLS_OPTIONS;

  beforeEach(() => {
    jest.replaceProperty(versions, 'minVersion', version);
    jest.replaceProperty(versions, 'maxVersion', version);
  });

  afterEach(() => jest.restoreAllMocks());

  test.each([
    ['anonymous', {}, null],
    ['authenticated', { credentials: ADA }, fingerprintOfCredentials(ADA)],
  ])('an %s connection comes about and carries pieces', async (_, options, fingerprint) => {
    const secured = jest.spyOn(TLSSocket.prototype, 'setNoDelay');
    const exported = jest.spyOn(TLSSocket.prototype, 'exportKeyingMaterial');
    const { port, accepted } = await network.listen();
    const client = await network.connect(port, options);
    const server = await accepted();
    expect(server.peer.fingerprint).toBe(fingerprint);
    expect(client.peer.fingerprint).toBe(fingerprintOfCredentials(SERVER));
    // RFC 5705: both ends draw the same 32 bytes from the session, and only for an authentication.
    const secrets = exported.mock.results.map(({ value }) => (value as Buffer).toString('hex'));
    expect(secrets).toHaveLength(fingerprint === null ? 0 : 2);
    expect(new Set(secrets).size).toBe(fingerprint === null ? 0 : 1);
    for (const secret of secrets) expect(secret).toMatch(/^[0-9a-f]{64}$/);
    expect(secured.mock.contexts.map((socket) => (socket as TLSSocket).getProtocol())).toEqual([version, version]);
    const incoming = nextStream(server);
    const near = await client.openStream(2);
    const got = collect(await incoming, 2);
    await near.send([new Uint8Array(65_535), Uint8Array.of(1)]);
    expect((await got).map(({ length }) => length)).toEqual([65_535, 1]);
  });

  test('an authentication of another session is refused', async () => {
    let sessions = 0;
    jest
      .spyOn(TLSSocket.prototype, 'exportKeyingMaterial')
      .mockImplementation((length) => Buffer.alloc(length, ++sessions));
    const { port, listener } = await network.listen();
    const client = await network.connect(port, { credentials: ADA });
    await ended(client);
    expect(listener.counters.refused).toEqual({ LINK_AUTHENTICATION_FAILED: 1 });
  });
});

describe('a connection over TLS', () => {
  test('an anonymous client knows the node, and the node does not know the client', async () => {
    const { port, accepted, listener } = await network.listen();
    const client = await network.connect(port);
    const server = await accepted();
    expect(client.peer).toMatchObject({ fingerprint: fingerprintOfCredentials(SERVER), address: '127.0.0.1' });
    expect(client.peer.identityCertificate).toEqual(SERVER.identityCertificate);
    expect(server.peer).toEqual({ fingerprint: null, address: '127.0.0.1' });
    expect([client.initiator, server.initiator]).toEqual([true, false]);
    expect(listener.counters).toMatchObject({
      connectionsAccepted: 1,
      connectionsAnonymous: 1,
      connectionsAuthenticated: 0,
      connectionsOpen: 1,
      handshakesOpen: 0,
      refused: {},
    });
  });

  test('a node authenticates, and both ends know each other', async () => {
    const { port, accepted } = await network.listen({
      trusted: (fingerprint) => fingerprint === fingerprintOfCredentials(ADA),
    });
    const client = await network.connect(port, {
      credentials: ADA,
      expectedFingerprint: fingerprintOfCredentials(SERVER),
    });
    const server = await accepted();
    expect(server.peer.fingerprint).toBe(fingerprintOfCredentials(ADA));
    expect(server.peer.identityCertificate).toEqual(ADA.identityCertificate);
    expect(client.peer.fingerprint).toBe(fingerprintOfCredentials(SERVER));
  });

  test.each([
    ['anonymous', {}],
    ['authenticated', { credentials: ADA }],
  ])('streams carry pieces both ways, in order and whole: %s', async (_, options) => {
    const { port, accepted } = await network.listen();
    const client = await network.connect(port, options);
    const server = await accepted();
    const incoming = nextStream(server);
    const near = await client.openStream(2);
    const far = await incoming;
    expect([near.id, far.id, far.namespace]).toEqual([0x8000_0001, 0x8000_0001, 2]);
    const sizes = [0, 1, 509, 16_384, 65_535, 3];
    const pieces = sizes.map((size, i) => new Uint8Array(size).fill(i + 1));
    const there = collect(far, pieces.length);
    const back = collect(near, pieces.length);
    await Promise.all([near.send(pieces), ...pieces.map((piece) => far.send([piece]))]);
    expect((await there).map((piece) => Buffer.from(piece).equals(pieces[sizes.indexOf(piece.length)]!))).toEqual(
      sizes.map(() => true),
    );
    expect((await back).map(({ length }) => length)).toEqual(sizes);
    const byServer = await server.openStream(2).catch((error: unknown) => error);
    expect(byServer).toMatchObject({ id: 1 });
  });

  test('a stream that one end closes is closed at the other with reason 1', async () => {
    const { port, accepted } = await network.listen();
    const client = await network.connect(port);
    const incoming = nextStream(await accepted());
    const near = await client.openStream(2);
    const far = await incoming;
    near.close();
    expect(await ended(far)).toMatchObject({ code: 'LINK_CHANNEL_CLOSED', details: { reason: 1 } });
    await expect(far.send([Uint8Array.of(1)])).rejects.toMatchObject({ code: 'LINK_CHANNEL_CLOSED' });
    await expect(near.send([Uint8Array.of(1)])).rejects.toMatchObject({ code: 'LINK_CHANNEL_CLOSED' });
    expect(client.open).toBe(true);
  });

  test('a namespace other than discovery is refused with reason 3', async () => {
    const { port } = await network.listen();
    const client = await network.connect(port);
    await expect(client.openStream(3)).rejects.toMatchObject({ code: 'LINK_STREAM_REFUSED', details: { reason: 3 } });
    expect((await client.openStream(2)).open).toBe(true);
  });

  test.each(['client', 'server'] as const)('closing in order ends both ends without an error: %s', async (which) => {
    const { port, accepted } = await network.listen();
    const client = await network.connect(port);
    const server = await accepted();
    const incoming = nextStream(server);
    const streams = [await client.openStream(2), await incoming];
    const ends = [ended(client), ended(server), ...streams.map((stream) => ended(stream))];
    (which === 'client' ? client : server).close();
    expect(await Promise.all(ends)).toMatchObject([
      null,
      null,
      { code: 'LINK_CHANNEL_CLOSED' },
      { code: 'LINK_CHANNEL_CLOSED' },
    ]);
    await expect(client.openStream(2)).rejects.toMatchObject({ code: 'LINK_CHANNEL_CLOSED' });
  });

  test('closing the listener ends everything, and returns when it has', async () => {
    const { listener, port, accepted } = await network.listen();
    const client = await network.connect(port);
    await accepted();
    const end = ended(client);
    await listener.close();
    expect(await end).toBeNull();
    expect(listener.counters).toMatchObject({ connectionsOpen: 0, handshakesOpen: 0, refused: {} });
    await expect(network.connect(port)).rejects.toMatchObject({ code: 'LINK_UNREACHABLE', retryable: true });
  });

  test('renewed credentials are shown from then on, under the same name', async () => {
    const { listener, port } = await network.listen();
    const shown = async (): Promise<Buffer> => {
      const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const { raw } = socket.getPeerX509Certificate() as X509Certificate;
      socket.destroy();
      return raw;
    };
    const renewed = { ...SERVER, linkCertificate: ADA.linkCertificate, linkKey: ADA.linkKey };
    expect(() => listener.setCredentials(renewed)).toThrow('[LINK_BAD_CREDENTIALS]');
    expect(Buffer.compare(await shown(), SERVER.linkCertificate)).toBe(0);
    listener.setCredentials(ADA);
    expect(Buffer.compare(await shown(), ADA.linkCertificate)).toBe(0);
    expect((await network.connect(port)).peer.fingerprint).toBe(fingerprintOfCredentials(ADA));
  });

  test('a session is never resumed', async () => {
    const { port } = await network.listen();
    const open = async (session?: Buffer) => {
      const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...(session && { session }) });
      const tickets = once(socket, 'session') as Promise<[Buffer]>;
      await once(socket, 'secureConnect');
      return { socket, tickets };
    };
    const first = await open();
    const [session] = await first.tickets;
    const second = await open(session);
    expect(second.socket.isSessionReused()).toBe(false);
    first.socket.destroy();
    second.socket.destroy();
  });
});

describe('a connection that does not come about', () => {
  test('nobody listens', async () => {
    const { listener, port } = await network.listen();
    await listener.close();
    await expect(network.connect(port)).rejects.toMatchObject({ code: 'LINK_UNREACHABLE' });
  });

  test('another node answers', async () => {
    const { port, listener } = await network.listen();
    const expectedFingerprint = fingerprintOfCredentials(ADA);
    await expect(network.connect(port, { expectedFingerprint })).rejects.toMatchObject({ code: 'LINK_UNTRUSTED_PEER' });
    await listener.close();
    expect(listener.counters.refused).toEqual({ LINK_CONNECTION_CLOSED: 1 });
  });

  test('a node that is not trusted is let go as soon as it shows itself', async () => {
    const { port, listener } = await network.listen({ trusted: () => false });
    const client = await network.connect(port, { credentials: ADA });
    await ended(client);
    await listener.close();
    expect(listener.counters.refused).toEqual({ LINK_UNTRUSTED_PEER: 1 });
    expect(listener.counters.connectionsAuthenticated).toBe(0);
  });

  test('strangers are not wanted', async () => {
    const { port } = await network.listen({ allowAnonymous: false });
    await expect(network.connect(port)).rejects.toMatchObject({ code: 'LINK_NO_COMMON_VERSION' });
    expect((await network.connect(port, { credentials: ADA })).open).toBe(true);
  });

  test('the caller gives up, before or meanwhile', async () => {
    const { port } = await network.listen();
    const options = { host: '127.0.0.1', port, clock: realClock, limits: linkLimits() };
    await expect(connectPsp({ ...options, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'LINK_ABORTED',
    });
    const controller = new AbortController();
    const attempt = connectPsp({ ...options, signal: controller.signal });
    controller.abort();
    await expect(attempt).rejects.toMatchObject({ code: 'LINK_ABORTED', retryable: false });
  });
});
