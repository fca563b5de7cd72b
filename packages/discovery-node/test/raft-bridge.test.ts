import { MemoryTransport } from '@discovery-raft/memory-transport';
import {
  DEFAULT_LIMITS,
  EnvelopeError,
  openRaftPacket,
  unwrapRaftPacket,
  wrapRaftPacket,
  type RaftMessage,
} from '@discovery-raft/psp-envelope';
import { RaftError, silentLogger, SimulatedClock, type RpcRequest, type RpcResponse } from '@discovery-raft/raft-core';
import { PACKET_REFUSALS, RaftBridge, type PacketGuard, type SignatureRefusal } from '../src/index.js';
import { VERSION } from './fixtures/people.js';
import { appendEntries, appendEntriesResponse, server, snapshotChunk } from './fixtures/raft-messages.js';

const SELF = 'self';
const PEER = 'peer';

interface Options {
  readonly guard?: PacketGuard;
  readonly send?: (peer: string, packet: Uint8Array) => Promise<void>;
  readonly answer?: (request: RpcRequest) => Promise<RpcResponse>;
}

/** A bridge with nobody behind its links: what it sends is kept, what a peer sends is made here. */
class Bridged {
  readonly clock = new SimulatedClock();
  readonly transport = new MemoryTransport({ id: SELF, address: SELF, clock: this.clock, copy: false });
  readonly sent: { readonly peer: string; readonly bytes: Uint8Array; readonly lane: string }[] = [];
  readonly handled: RpcRequest[] = [];
  readonly bridge: RaftBridge;

  constructor({ send, answer, guard }: Options = {}) {
    this.bridge = new RaftBridge({
      self: SELF,
      protocolVersion: VERSION,
      transport: this.transport,
      limits: DEFAULT_LIMITS,
      logger: silentLogger,
      send: async (peer, bytes, lane) => {
        this.sent.push({ peer, bytes, lane });
        await send?.(peer, bytes);
      },
      isMember: (peer) => peer === PEER || peer === 'other',
      guard,
    });
    this.transport.setHandler((request) => {
      this.handled.push(request);
      return answer === undefined ? Promise.resolve(appendEntriesResponse(SELF)) : answer(request);
    });
  }

  /** The local Raft sends. The outcome comes in a box, since it is not to be awaited here. */
  readonly ask = async (timeoutMs = 1000): Promise<{ readonly outcome: Promise<RpcResponse> }> => {
    const outcome: Promise<RpcResponse> = this.transport.send(server(PEER), appendEntries(SELF), timeoutMs);
    outcome.catch(() => {});
    await this.clock.advance(0);
    return { outcome };
  };

  /** The packet that was sent last, read. */
  readonly last = (): ReturnType<typeof unwrapRaftPacket> => unwrapRaftPacket(this.sent.at(-1)!.bytes);
}

/** Bytes of a packet from the peer. */
function fromPeer(
  message: RaftMessage,
  packetId = 1,
  names: { sourceId?: string; destinationId?: string } = {},
): Uint8Array {
  return wrapRaftPacket({ version: VERSION, sourceId: PEER, destinationId: SELF, packetId, message, ...names });
}

const NOTHING_REFUSED = Object.fromEntries(PACKET_REFUSALS.map((reason) => [reason, 0]));

describe('requests that come in', () => {
  test('reach the local Raft, and its answer goes back under the same packet id', async () => {
    const { bridge, sent, handled, clock } = new Bridged();
    bridge.receive(PEER, fromPeer(appendEntries(PEER), 41));
    await clock.advance(0);
    expect(handled).toEqual([appendEntries(PEER)]);
    expect(sent).toHaveLength(1);
    expect(sent[0]!.peer).toBe(PEER);
    expect(unwrapRaftPacket(sent[0]!.bytes)).toMatchObject({
      version: VERSION,
      sourceId: SELF,
      destinationId: PEER,
      packetId: 41,
      message: appendEntriesResponse(SELF),
    });
    expect(bridge.refusals).toEqual(NOTHING_REFUSED);
  });

  test.each([
    ['wrongSource', PEER, fromPeer(appendEntries(PEER), 1, { sourceId: 'other' })],
    ['wrongDestination', PEER, fromPeer(appendEntries(PEER), 1, { destinationId: 'other' })],
    ['notMember', 'stranger', fromPeer(appendEntries('stranger'), 1, { sourceId: 'stranger' })],
  ])('are dropped, counted and not answered: %s', async (reason, from, bytes) => {
    const { bridge, sent, handled, clock } = new Bridged();
    bridge.receive(from, bytes);
    await clock.advance(0);
    expect(bridge.refusals).toEqual({ ...NOTHING_REFUSED, [reason]: 1 });
    expect([handled, sent]).toEqual([[], []]);
  });

  test('an identity is judged before the payload is decoded', () => {
    const { bridge } = new Bridged();
    const { msgType } = openRaftPacket(fromPeer(appendEntries(PEER)));
    const packet = {
      version: VERSION,
      sourceId: 'other',
      destinationId: SELF,
      msgType,
      packetId: 1,
      payload: Uint8Array.of(0xff),
    };
    expect(() => bridge.receivePacket(PEER, packet)).not.toThrow();
    expect(bridge.refusals).toMatchObject({ wrongSource: 1, malformed: 0 });
  });

  test('a packet id that was seen is a repetition; two lanes may overtake each other; a new link begins anew', async () => {
    const { bridge, handled, clock } = new Bridged();
    for (const id of [5, 5, 4, 6, 4]) bridge.receive(PEER, fromPeer(appendEntries(PEER), id));
    await clock.advance(0);
    expect(handled).toHaveLength(3);
    expect(bridge.refusals).toEqual({ ...NOTHING_REFUSED, repeated: 2 });
    bridge.connected(PEER);
    bridge.receive(PEER, fromPeer(appendEntries(PEER), 5));
    await clock.advance(0);
    expect(handled).toHaveLength(4);
  });

  test('are not answered on another link: there, the same id is another request', async () => {
    let answer: (response: RpcResponse) => void = () => {};
    const { bridge, sent, clock } = new Bridged({ answer: () => new Promise((resolve) => (answer = resolve)) });
    bridge.receive(PEER, fromPeer(appendEntries(PEER), 1));
    await clock.advance(0);
    bridge.connected(PEER);
    answer(appendEntriesResponse(SELF));
    await clock.advance(0);
    expect(sent).toEqual([]);
  });

  test('each peer has its own packet ids', async () => {
    const { bridge, handled, clock } = new Bridged();
    bridge.receive(PEER, fromPeer(appendEntries(PEER), 9));
    bridge.receive('other', fromPeer(appendEntries('other'), 1, { sourceId: 'other' }));
    await clock.advance(0);
    expect(handled).toHaveLength(2);
  });

  test('a malformed payload is counted and thrown, so that the link closes', () => {
    const { bridge, handled } = new Bridged();
    const { msgType } = openRaftPacket(fromPeer(appendEntries(PEER)));
    const packet = {
      version: VERSION,
      sourceId: PEER,
      destinationId: SELF,
      msgType,
      packetId: 1,
      payload: Uint8Array.of(0xff),
    };
    expect(() => bridge.receivePacket(PEER, packet)).toThrow(EnvelopeError);
    expect(() => bridge.receive(PEER, Uint8Array.of(0xff, 1, 2))).toThrow(EnvelopeError);
    expect(bridge.refusals).toEqual({ ...NOTHING_REFUSED, malformed: 2 });
    expect(handled).toEqual([]);
  });

  test('every cut of a packet gives an EnvelopeError or a smaller packet, nothing else', () => {
    const whole = fromPeer(appendEntries(PEER), 1);
    for (let length = 0; length < whole.length; length++) {
      const { bridge } = new Bridged();
      try {
        bridge.receive(PEER, whole.slice(0, length));
      } catch (error) {
        expect(error).toBeInstanceOf(EnvelopeError);
      }
    }
    expect.hasAssertions();
  });

  test("what the local Raft refuses goes back as a failure with its code; a stranger's text stays here", async () => {
    const known = new Bridged({ answer: () => Promise.reject(new RaftError('RAFT_SHUTDOWN', 'this node stops')) });
    known.bridge.receive(PEER, fromPeer(appendEntries(PEER), 3));
    await known.clock.advance(0);
    expect(known.last()).toMatchObject({ packetId: 3, message: { kind: 'rpcFailure', code: 'RAFT_SHUTDOWN' } });

    const unknown = new Bridged({ answer: () => Promise.reject(new Error('the password is 1234')) });
    unknown.bridge.receive(PEER, fromPeer(appendEntries(PEER), 3));
    await unknown.clock.advance(0);
    expect(unknown.last().message).toEqual({
      kind: 'rpcFailure',
      code: 'RAFT_TRANSPORT_FAILED',
      message: 'the request failed',
    });
  });

  test("a request in another server's name is not answered in ours", async () => {
    const { bridge, handled, clock, last } = new Bridged();
    bridge.receive(PEER, fromPeer(appendEntries('other'), 3));
    await clock.advance(0);
    expect(handled).toEqual([]);
    expect(last().message).toMatchObject({ kind: 'rpcFailure', code: 'RAFT_MALFORMED' });
  });

  test('an answer that cannot be sent harms nobody', async () => {
    const { bridge, handled, clock } = new Bridged({ send: () => Promise.reject(new Error('the link is gone')) });
    bridge.receive(PEER, fromPeer(appendEntries(PEER), 1));
    await clock.advance(0);
    bridge.receive(PEER, fromPeer(appendEntries(PEER), 2));
    await clock.advance(0);
    expect(handled).toHaveLength(2);
  });
});

describe('requests that go out', () => {
  test('a snapshot travels beside everything else', async () => {
    const { transport, sent, clock } = new Bridged();
    for (const request of [snapshotChunk(SELF), appendEntries(SELF)]) {
      transport.send<RpcRequest>(server(PEER), request, 1000).catch(() => {});
    }
    await clock.advance(0);
    expect(sent.map(({ lane }) => lane)).toEqual(['bulk', 'main']);
  });

  test('become packets, and settle with the answer of the same packet id', async () => {
    const { bridge, sent, ask, last } = new Bridged();
    const { outcome: first } = await ask();
    const { outcome: second } = await ask();
    expect(sent.map(({ bytes }) => openRaftPacket(bytes).packetId)).toEqual([1, 2]);
    expect(last()).toMatchObject({ sourceId: SELF, destinationId: PEER, message: appendEntries(SELF) });
    const later = { ...appendEntriesResponse(PEER), matchIndex: 2 };
    bridge.receive(PEER, fromPeer(later, 2));
    bridge.receive(PEER, fromPeer(appendEntriesResponse(PEER), 1));
    await expect(first).resolves.toEqual(appendEntriesResponse(PEER));
    await expect(second).resolves.toEqual(later);
    expect(bridge.refusals).toEqual(NOTHING_REFUSED);
  });

  test("a failure of the peer fails the request with the peer's code", async () => {
    const { bridge, ask } = new Bridged();
    const { outcome } = await ask();
    bridge.receive(PEER, fromPeer({ kind: 'rpcFailure', code: 'RAFT_SHUTDOWN', message: 'no more' }, 1));
    await expect(outcome).rejects.toMatchObject({
      code: 'RAFT_TRANSPORT_FAILED',
      details: { peerId: PEER, remoteCode: 'RAFT_SHUTDOWN' },
    });
  });

  test("an answer of another kind, or in another server's name, fails the request", async () => {
    const { bridge, ask } = new Bridged();
    const { outcome: kind } = await ask();
    const { outcome: name } = await ask();
    const vote = {
      kind: 'requestVoteResponse',
      header: appendEntriesResponse(PEER).header,
      term: 1,
      granted: true,
    } as const;
    bridge.receive(PEER, fromPeer(vote, 1));
    bridge.receive(PEER, fromPeer(appendEntriesResponse('other'), 2));
    await expect(kind).rejects.toMatchObject({ code: 'RAFT_MALFORMED' });
    await expect(name).rejects.toMatchObject({ code: 'RAFT_MALFORMED' });
  });

  test('a late, a repeated and an unasked answer are counted and change nothing', async () => {
    const { bridge, clock, ask } = new Bridged();
    const { outcome: late } = await ask(100);
    await clock.advance(101);
    await expect(late).rejects.toMatchObject({ code: 'RAFT_TRANSPORT_TIMEOUT' });
    const { outcome: next } = await ask(100);
    bridge.receive(PEER, fromPeer(appendEntriesResponse(PEER), 1));
    bridge.receive(PEER, fromPeer(appendEntriesResponse(PEER), 77));
    bridge.receive('other', fromPeer(appendEntriesResponse('other'), 2, { sourceId: 'other' }));
    bridge.receive(PEER, fromPeer(appendEntriesResponse(PEER), 2));
    bridge.receive(PEER, fromPeer(appendEntriesResponse(PEER), 2));
    await expect(next).resolves.toEqual(appendEntriesResponse(PEER));
    expect(bridge.refusals).toEqual({ ...NOTHING_REFUSED, unexpected: 4 });
  });

  test('a request that cannot be sent fails at once and not after its timeout', async () => {
    const { ask, clock } = new Bridged({ send: () => Promise.reject(new Error('there is no link')) });
    const before = clock.now();
    const { outcome } = await ask(60_000);
    await expect(outcome).rejects.toMatchObject({ code: 'RAFT_TRANSPORT_FAILED' });
    expect(clock.now()).toBe(before);
  });

  test('a request that cannot be encoded fails alone; the next one goes out', async () => {
    const { transport, clock, bridge, sent } = new Bridged();
    const impossible = { ...appendEntries(SELF), term: Number.NaN };
    const outcome = transport.send(server(PEER), impossible, 60_000);
    outcome.catch(() => {});
    const good: Promise<RpcResponse> = transport.send(server(PEER), appendEntries(SELF), 60_000);
    await clock.advance(0);
    await expect(outcome).rejects.toMatchObject({ code: 'RAFT_TRANSPORT_FAILED' });
    expect(sent.map(({ bytes }) => openRaftPacket(bytes).packetId)).toEqual([2]);
    bridge.receive(PEER, fromPeer(appendEntriesResponse(PEER), 2));
    await expect(good).resolves.toEqual(appendEntriesResponse(PEER));
  });

  test('a stopped bridge carries nothing', async () => {
    const { bridge, sent, ask, clock } = new Bridged();
    await ask();
    bridge.stop();
    const { outcome } = await ask(10);
    await clock.advance(11);
    await expect(outcome).rejects.toMatchObject({ code: 'RAFT_TRANSPORT_TIMEOUT' });
    expect(sent).toHaveLength(1);
  });
});

describe('with a guard', () => {
  const SIGNATURE = { certificate: Uint8Array.of(1, 2), signature: new Uint8Array(64) };

  /** Says of each packet what it is told to say, and notes whom it was asked about. */
  class Guard implements PacketGuard {
    verdict: SignatureRefusal | null = null;
    readonly judged: number[] = [];
    readonly signed: number[] = [];
    sign({ packetId }: { readonly packetId: number }): typeof SIGNATURE {
      this.signed.push(packetId);
      return SIGNATURE;
    }
    judge({ packetId }: { readonly packetId: number }): SignatureRefusal | null {
      this.judged.push(packetId);
      return this.verdict;
    }
  }

  test('whatever goes out is signed, in the order in which it goes, snapshots on their own lane', async () => {
    const guard = new Guard();
    const { transport, bridge, sent, clock } = new Bridged({ guard });
    for (const request of [snapshotChunk(SELF), appendEntries(SELF), appendEntries(SELF)]) {
      transport.send<RpcRequest>(server(PEER), request, 1000).catch(() => {});
    }
    await clock.advance(0);
    bridge.receive(PEER, fromPeer(appendEntries(PEER), 41));
    await clock.advance(0);
    expect(sent.map(({ lane, bytes }) => [lane, openRaftPacket(bytes).packetId])).toEqual([
      ['bulk', 1],
      ['main', 2],
      ['main', 3],
      ['main', 41],
    ]);
    expect(sent.map(({ bytes }) => openRaftPacket(bytes).signature)).toEqual(sent.map(() => SIGNATURE));
    expect(guard.signed).toEqual([1, 2, 3, 41]);
  });

  test('what the guard refuses is counted by its reason and uses up no id: the true packet still comes through', async () => {
    const guard = new Guard();
    const { bridge, handled, clock, ask } = new Bridged({ guard });
    const { outcome } = await ask();
    guard.verdict = 'badSignature';
    bridge.receive(PEER, fromPeer(appendEntries(PEER), 7));
    bridge.receive(PEER, fromPeer({ ...appendEntriesResponse(PEER), success: false }, 1));
    await clock.advance(0);
    expect(handled).toEqual([]);
    guard.verdict = null;
    bridge.receive(PEER, fromPeer(appendEntries(PEER), 7));
    bridge.receive(PEER, fromPeer(appendEntriesResponse(PEER), 1));
    await clock.advance(0);
    expect(handled).toHaveLength(1);
    await expect(outcome).resolves.toEqual(appendEntriesResponse(PEER));
    expect(bridge.refusals).toEqual({ ...NOTHING_REFUSED, badSignature: 2 });
  });

  test('what is dropped anyway costs no signature; and a payload is decoded only behind a good one', () => {
    const guard = new Guard();
    const { bridge } = new Bridged({ guard });
    bridge.receive(PEER, fromPeer(appendEntries(PEER), 1, { sourceId: 'other' }));
    bridge.receive(PEER, fromPeer(appendEntriesResponse(PEER), 5));
    bridge.receive(PEER, fromPeer(appendEntries(PEER), 3));
    bridge.receive(PEER, fromPeer(appendEntries(PEER), 3));
    expect(guard.judged).toEqual([3]);
    expect(bridge.refusals).toEqual({ ...NOTHING_REFUSED, wrongSource: 1, unexpected: 1, repeated: 1 });
    guard.verdict = 'unsigned';
    const { msgType } = openRaftPacket(fromPeer(appendEntries(PEER)));
    const names = { version: VERSION, sourceId: PEER, destinationId: SELF };
    const unreadable = { ...names, msgType, packetId: 4, payload: Uint8Array.of(0xff) };
    expect(() => bridge.receivePacket(PEER, unreadable)).not.toThrow();
    expect(bridge.refusals).toMatchObject({ unsigned: 1, malformed: 0 });
  });
});
