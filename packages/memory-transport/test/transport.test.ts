import { RaftError, SimulatedClock, type RpcRequest } from '@discovery-raft/raft-core';
import fc from 'fast-check';
import { MemoryTransport, rpcSize, type OutgoingRpc } from '../src/index.js';
import { append, appended, codeOf, heartbeat, server, vote, voteRequest } from './rpcs.js';

function make(options: Partial<ConstructorParameters<typeof MemoryTransport>[0]> = {}) {
  const clock = new SimulatedClock();
  const transport = new MemoryTransport({ id: 'a', address: 'a:1', clock, ...options });
  return { clock, transport };
}

async function take(transport: MemoryTransport, peer = 'b'): Promise<OutgoingRpc> {
  const { value } = await transport.peer(peer).proxy().next();
  return value as OutgoingRpc;
}

describe('sending', () => {
  test('an RPC comes out of the proxy and its response reaches the sender', async () => {
    const { transport } = make();
    const sent = transport.send(server('b'), heartbeat('a', 7), 100);
    const rpc = await take(transport);
    expect(rpc).toMatchObject({
      id: 1,
      target: server('b'),
      request: heartbeat('a', 7),
      settled: false,
      deadline: 100,
    });
    expect(rpc.respond(appended('b', 7))).toBe(true);
    expect(rpc.settled).toBe(true);
    await expect(sent).resolves.toEqual(appended('b', 7));
  });

  test('a consumer that waits gets the RPCs in the order of the sends', async () => {
    const { transport } = make();
    const marks: number[] = [];
    const consumer = (async () => {
      for await (const rpc of transport.peer('b').proxy()) {
        marks.push(rpc.request.kind === 'appendEntries' ? rpc.request.prevLogIndex : -1);
        rpc.respond(appended('b'));
      }
    })();
    await Promise.all([1, 2, 3].map((mark) => transport.send(server('b'), heartbeat('a', mark), 100)));
    await transport.send(server('b'), heartbeat('a', 4), 100);
    await transport.close();
    await consumer;
    expect(marks).toEqual([1, 2, 3, 4]);
  });

  test('two next() that wait are served in order', async () => {
    const { transport } = make();
    const stream = transport.peer('b').proxy();
    const both = Promise.all([stream.next(), stream.next()]);
    void codeOf(transport.send(server('b'), heartbeat('a', 1), 100));
    void codeOf(transport.send(server('b'), heartbeat('a', 2), 100));
    expect((await both).map((result) => (result.value as OutgoingRpc).id)).toEqual([1, 2]);
  });

  test('a late respond or fail is ignored', async () => {
    const { transport } = make();
    const sent = transport.send(server('b'), heartbeat('a'), 100);
    const rpc = await take(transport);
    rpc.respond(appended('b', 1));
    expect(rpc.respond(appended('b', 2))).toBe(false);
    expect(rpc.fail(new Error('late'))).toBe(false);
    await expect(sent).resolves.toMatchObject({ matchIndex: 1 });
  });

  test('a response of another kind is a typed error', async () => {
    const { transport } = make();
    const sent = codeOf(transport.send(server('b'), heartbeat('a'), 100));
    (await take(transport)).respond(vote('b'));
    expect(await sent).toBe('RAFT_MALFORMED');
  });

  test("a response in another server's name is a typed error", async () => {
    const { transport } = make();
    const sent = codeOf(transport.send(server('b'), voteRequest('a'), 100));
    (await take(transport)).respond(vote('c'));
    expect(await sent).toBe('RAFT_MALFORMED');
  });

  test.each(['RAFT_TRANSPORT_TIMEOUT', 'RAFT_TRANSPORT_FAILED', 'RAFT_TRANSPORT_OVERLOADED'] as const)(
    'fail() passes %s on as it is',
    async (code) => {
      const { transport } = make();
      const sent = transport.send(server('b'), heartbeat('a'), 100);
      const error = new RaftError(code, 'as it is');
      (await take(transport)).fail(error);
      await expect(sent).rejects.toBe(error);
    },
  );

  test('fail() wraps any other error and keeps its code', async () => {
    const { transport } = make();
    const sent = transport.send(server('b'), heartbeat('a'), 100);
    const cause = new RaftError('RAFT_TRANSPORT_CLOSED', "the peer's, not ours");
    (await take(transport)).fail(cause);
    await expect(sent).rejects.toMatchObject({
      code: 'RAFT_TRANSPORT_FAILED',
      retryable: true,
      details: { peerId: 'b', remoteCode: 'RAFT_TRANSPORT_CLOSED' },
      cause,
    });
  });

  test('fail() takes anything', async () => {
    const { transport } = make();
    const sent = codeOf(transport.send(server('b'), heartbeat('a'), 100));
    (await take(transport)).fail(undefined);
    expect(await sent).toBe('RAFT_TRANSPORT_FAILED');
  });
});

describe('timeouts', () => {
  test('an RPC that nobody takes times out at its deadline, not before, and leaves the queue', async () => {
    const { clock, transport } = make();
    let outcome = 'pending';
    void codeOf(transport.send(server('b'), heartbeat('a'), 100)).then((code) => (outcome = code));
    await clock.advance(99);
    expect(outcome).toBe('pending');
    expect(transport.peer('b').pendingRpcs).toBe(1);
    await clock.advance(1);
    expect(outcome).toBe('RAFT_TRANSPORT_TIMEOUT');
    expect(transport.peer('b')).toMatchObject({ pendingRpcs: 0, pendingBytes: 0 });
    void codeOf(transport.send(server('b'), heartbeat('a', 5), 100));
    expect((await take(transport)).id).toBe(2);
  });

  test('each of many RPCs times out at its own deadline, whatever the order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 20 }), async (timeouts) => {
        const { clock, transport } = make();
        const endedAt: number[] = timeouts.map(() => -1);
        timeouts.forEach((timeoutMs, i) => {
          void codeOf(transport.send(server('b'), heartbeat('a'), timeoutMs)).then(() => (endedAt[i] = clock.now()));
        });
        await clock.advance(60);
        expect(endedAt).toEqual(timeouts);
      }),
      { numRuns: 30 },
    );
  });

  test('an RPC with a shorter timeout is not held up by an answered one', async () => {
    const { clock, transport } = make();
    const first = transport.send(server('b'), heartbeat('a'), 1000);
    (await take(transport)).respond(appended('b'));
    await first;
    const second = codeOf(transport.send(server('b'), heartbeat('a'), 10));
    await clock.advance(10);
    expect(await second).toBe('RAFT_TRANSPORT_TIMEOUT');
  });

  test.each([NaN, -1, Infinity])('a timeout of %p is refused', async (timeoutMs) => {
    const { transport } = make();
    expect(await codeOf(transport.send(server('b'), heartbeat('a'), timeoutMs))).toBe('RAFT_INVALID_OPTION');
  });
});

describe('limits', () => {
  test('one RPC more than maxQueuedRpcs is refused, retryably, until one has an outcome', async () => {
    const { transport } = make({ maxQueuedRpcs: 2 });
    const sent = transport.send(server('b'), heartbeat('a'), 100);
    void codeOf(transport.send(server('b'), heartbeat('a'), 100));
    await expect(transport.send(server('b'), heartbeat('a'), 100)).rejects.toMatchObject({
      code: 'RAFT_TRANSPORT_OVERLOADED',
      retryable: true,
      details: { peerId: 'b', rpcs: 2 },
    });
    void codeOf(transport.send(server('c'), heartbeat('a'), 100));
    expect(transport.peer('c').pendingRpcs).toBe(1);
    (await take(transport)).respond(appended('b'));
    await sent;
    void codeOf(transport.send(server('b'), heartbeat('a'), 100));
    expect(transport.peer('b').pendingRpcs).toBe(2);
  });

  test('bytes are bounded too', async () => {
    const request = append('a', new Uint8Array(1000));
    const { transport } = make({ maxQueuedBytes: 2 * rpcSize(request) });
    void codeOf(transport.send(server('b'), request, 100));
    void codeOf(transport.send(server('b'), request, 100));
    expect(transport.peer('b').pendingBytes).toBe(2 * rpcSize(request));
    expect(await codeOf(transport.send(server('b'), request, 100))).toBe('RAFT_TRANSPORT_OVERLOADED');
  });

  test('the size of a request counts its payload', () => {
    expect(rpcSize(append('a', new Uint8Array(1000))) - rpcSize(heartbeat('a'))).toBe(2032);
  });

  test.each([{ maxQueuedRpcs: 0 }, { maxQueuedBytes: NaN }])('%p is refused', (options) => {
    expect(() => make(options)).toThrow(expect.objectContaining({ code: 'RAFT_INVALID_OPTION' }));
  });

  test("a flood of a peer's requests is refused", async () => {
    const { transport } = make({ maxQueuedRpcs: 1 });
    transport.setHandler(() => new Promise(() => undefined));
    void codeOf(transport.peer('b').deliver(heartbeat('b')));
    expect(await codeOf(transport.peer('b').deliver(heartbeat('b')))).toBe('RAFT_TRANSPORT_OVERLOADED');
  });
});

describe('delivering', () => {
  test("a peer's request reaches the handler and its response comes back", async () => {
    const { transport } = make();
    const seen: RpcRequest[] = [];
    transport.setHandler((request) => {
      seen.push(request);
      return Promise.resolve(vote('a'));
    });
    await expect(transport.peer('b').deliver(voteRequest('b'))).resolves.toEqual(vote('a'));
    expect(seen).toEqual([voteRequest('b')]);
  });

  test("a request in another server's name is refused", async () => {
    const { transport } = make();
    transport.setHandler(() => Promise.resolve(vote('a')));
    expect(await codeOf(transport.peer('b').deliver(voteRequest('c')))).toBe('RAFT_MALFORMED');
  });

  test('without a handler a request fails', async () => {
    const { transport } = make();
    expect(await codeOf(transport.peer('b').deliver(voteRequest('b')))).toBe('RAFT_TRANSPORT_FAILED');
  });

  test('a handler that throws is a rejection', async () => {
    const { transport } = make();
    const error = new Error('no');
    transport.setHandler(() => {
      throw error;
    });
    await expect(transport.peer('b').deliver(voteRequest('b'))).rejects.toBe(error);
  });
});

describe('copying', () => {
  test('a request does not share bytes or objects with the one that was sent', async () => {
    const { transport } = make();
    const bytes = new Uint8Array([1, 2, 3]);
    const request = append('a', bytes);
    void codeOf(transport.send(server('b'), request, 100));
    bytes.fill(9);
    const carried = (await take(transport)).request;
    expect(carried).toEqual(append('a', new Uint8Array([1, 2, 3])));
    expect(carried.header).not.toBe(request.header);
  });

  test('a chunk of a snapshot and its configuration are copied', async () => {
    const { transport } = make();
    const request = {
      ...voteRequest('a'),
      kind: 'installSnapshot' as const,
      version: 1,
      configuration: { servers: [server('a')], outgoing: [server('b')] },
      configurationIndex: 1,
      size: 3,
      offset: 0,
      chunk: new Uint8Array([1, 2, 3]),
      crc: 0,
      done: true,
    };
    void codeOf(transport.send(server('b'), request, 100));
    const carried = (await take(transport)).request;
    expect(carried).toEqual(request);
    expect(carried.kind === 'installSnapshot' && carried.chunk).not.toBe(request.chunk);
    expect(carried.kind === 'installSnapshot' && carried.configuration.outgoing).not.toBe(
      request.configuration.outgoing,
    );
  });

  test('a response does not share objects with the one of the handler', async () => {
    const { transport } = make();
    const own = vote('a');
    transport.setHandler(() => Promise.resolve(own));
    const response = await transport.peer('b').deliver(voteRequest('b'));
    expect(response).toEqual(own);
    expect(response.header).not.toBe(own.header);
  });

  test('without copy, requests keep their identity', async () => {
    const { transport } = make({ copy: false });
    const request = append('a', new Uint8Array(3));
    void codeOf(transport.send(server('b'), request, 100));
    expect((await take(transport)).request).toBe(request);
  });
});

describe('consumers', () => {
  test('a new consumer takes over; what the old one took can still be answered', async () => {
    const { transport } = make();
    const old = transport.peer('b').proxy();
    const sent = transport.send(server('b'), heartbeat('a', 1), 100);
    const taken = (await old.next()).value as OutgoingRpc;
    const waiting = old.next();
    const fresh = transport.peer('b').proxy();
    expect((await waiting).done).toBe(true);
    void codeOf(transport.send(server('b'), heartbeat('a', 2), 100));
    expect(((await fresh.next()).value as OutgoingRpc).id).toBe(2);
    expect(taken.respond(appended('b'))).toBe(true);
    await sent;
  });

  test('return() ends a stream that waits and keeps the queue for the next', async () => {
    const { transport } = make();
    const stream = transport.peer('b').proxy();
    const waiting = stream.next();
    await stream.return();
    expect((await waiting).done).toBe(true);
    expect((await stream.next()).done).toBe(true);
    void codeOf(transport.send(server('b'), heartbeat('a'), 100));
    expect((await take(transport)).id).toBe(1);
  });

  test('onPeer sees the peers that there are and those that come', () => {
    const { transport } = make();
    transport.peer('b');
    const seen: string[] = [];
    const stop = transport.onPeer((peer) => seen.push(peer.id));
    transport.peer('c');
    transport.peer('c');
    stop();
    transport.peer('d');
    expect(seen).toEqual(['b', 'c']);
    expect([...transport.peers()].map((peer) => peer.id)).toEqual(['b', 'c', 'd']);
  });

  test('a removed peer ends; sending to it makes a new one', async () => {
    const { transport } = make();
    const stream = transport.peer('b').proxy();
    const sent = codeOf(transport.send(server('b'), heartbeat('a'), 100));
    transport.removePeer('b');
    transport.removePeer('b');
    expect(await sent).toBe('RAFT_TRANSPORT_FAILED');
    expect((await stream.next()).done).toBe(true);
    void codeOf(transport.send(server('b'), heartbeat('a'), 100));
    expect((await take(transport)).id).toBe(1);
  });
});

describe('close', () => {
  test('settles what is under way in both directions, ends the streams and refuses the rest', async () => {
    const { transport } = make();
    transport.setHandler(() => new Promise(() => undefined));
    const stream = transport.peer('b').proxy();
    const taken = codeOf(transport.send(server('b'), heartbeat('a'), 100));
    await stream.next();
    const queued = codeOf(transport.send(server('b'), heartbeat('a'), 100));
    const answering = codeOf(transport.peer('b').deliver(heartbeat('b')));
    await transport.close();
    await transport.close();
    expect(await Promise.all([taken, queued, answering])).toEqual(Array(3).fill('RAFT_TRANSPORT_CLOSED'));
    expect((await stream.next()).done).toBe(true);
    expect(await codeOf(transport.send(server('b'), heartbeat('a'), 100))).toBe('RAFT_TRANSPORT_CLOSED');
    expect(await codeOf(transport.send(server('z'), heartbeat('a'), 100))).toBe('RAFT_TRANSPORT_CLOSED');
    expect(await codeOf(transport.peer('b').deliver(heartbeat('b')))).toBe('RAFT_TRANSPORT_CLOSED');
    expect((await transport.peer('b').proxy().next()).done).toBe(true);
  });
});

describe('the list of unsettled RPCs', () => {
  const action = fc.oneof(
    fc.constant({ do: 'send' as const }),
    fc.constant({ do: 'take' as const }),
    fc.record({ do: fc.constant('settle' as const), which: fc.nat() }),
  );

  test('keeps order and count through any sends, takes, answers', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
        const { transport } = make();
        const stream = transport.peer('b').proxy();
        let sent = 0;
        let lastTaken = 0;
        const open: OutgoingRpc[] = [];
        for (const each of actions) {
          if (each.do === 'send') {
            sent++;
            void codeOf(transport.send(server('b'), heartbeat('a'), 1000));
          } else if (each.do === 'take') {
            if (lastTaken === sent) continue;
            const rpc = (await stream.next()).value as OutgoingRpc;
            expect(rpc.id).toBe(++lastTaken);
            open.push(rpc);
          } else if (open.length > 0) {
            const [rpc] = open.splice(each.which % open.length, 1);
            expect(rpc!.respond(appended('b'))).toBe(true);
          }
          expect(transport.peer('b').pendingRpcs).toBe(sent - lastTaken + open.length);
        }
      }),
      { numRuns: 100 },
    );
  });
});
