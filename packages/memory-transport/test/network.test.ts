import { seededRandom, SimulatedClock, type RpcRequest } from '@discovery-raft/raft-core';
import { MemoryNetwork, MemoryTransport, type LinkFaults } from '../src/index.js';
import { append, appended, codeOf, heartbeat, server } from './rpcs.js';

/** Nodes that answer every heartbeat with its mark, and record what they saw and when. */
function cluster(ids: string, faults: Partial<LinkFaults> = {}, seed = 1) {
  const clock = new SimulatedClock();
  const network = new MemoryNetwork({ clock, random: seededRandom(seed), faults });
  const seen: Record<string, { mark: number; from: string; at: number; request: RpcRequest }[]> = {};
  const nodes: Record<string, MemoryTransport> = {};
  for (const id of ids) {
    const records = (seen[id] = [] as (typeof seen)[string]);
    const transport = (nodes[id] = new MemoryTransport({ id, address: `${id}:1`, clock }));
    transport.setHandler((request) => {
      const mark = request.kind === 'appendEntries' ? request.prevLogIndex : -1;
      records.push({ mark, from: request.header.id, at: clock.now(), request });
      return Promise.resolve(appended(id, mark));
    });
    network.connect(transport);
  }
  const call = (from: string, to: string, mark = 0, timeoutMs = 1000): Promise<string> =>
    codeOf(nodes[from]!.send(server(to), heartbeat(from, mark), timeoutMs));
  const marks = (id: string): number[] => seen[id]!.map((record) => record.mark);
  return { clock, network, nodes, seen, call, marks };
}

describe('a perfect network', () => {
  test('carries requests and answers', async () => {
    const { clock, nodes, seen, network } = cluster('ab');
    const sent = nodes['a']!.send(server('b'), heartbeat('a', 5), 1000);
    await expect(clock.resolve(sent, 0)).resolves.toEqual(appended('b', 5));
    expect(seen['b']).toMatchObject([{ mark: 5, from: 'a', at: 0 }]);
    expect(network.stats).toMatchObject({ sent: 2, delivered: 2, lost: 0, cut: 0 });
  });

  test('all messages of a turn share one hop', async () => {
    const { clock, call, marks } = cluster('abc');
    let turns = 0;
    const defer = clock.defer.bind(clock);
    clock.defer = (callback) => {
      turns++;
      defer(callback);
    };
    const calls = [1, 2, 3, 4].flatMap((mark) => [call('a', 'b', mark), call('a', 'c', mark)]);
    await clock.resolve(Promise.all(calls), 0);
    expect(turns).toBe(2);
    expect([marks('b'), marks('c')]).toEqual([
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ]);
  });

  test('a hop takes a turn of the event loop: nothing arrives while the clock stands', async () => {
    const { call, marks } = cluster('ab');
    void call('a', 'b');
    for (let i = 0; i < 50; i++) await Promise.resolve();
    expect(marks('b')).toEqual([]);
  });

  test('nodes share no bytes', async () => {
    const { clock, nodes, seen } = cluster('abc');
    const bytes = new Uint8Array([1]);
    const request = append('a', bytes);
    const sent = Promise.all(['b', 'c'].map((id) => nodes['a']!.send(server(id), request, 1000)));
    await clock.resolve(sent, 0);
    const [b, c] = ['b', 'c'].map((id) => seen[id]![0]!.request);
    expect(b).toEqual(request);
    const dataOf = (request?: RpcRequest) => (request?.kind === 'appendEntries' ? request.entries[0]!.data : undefined);
    expect(dataOf(b)!.buffer).not.toBe(bytes.buffer);
    expect(dataOf(b)!.buffer).not.toBe(dataOf(c)!.buffer);
  });

  test('a failure of the handler comes back as a failure', async () => {
    const { clock, nodes, call } = cluster('ab');
    nodes['b']!.setHandler(() => Promise.reject(new Error('no')));
    expect(await clock.resolve(call('a', 'b'), 0)).toBe('RAFT_TRANSPORT_FAILED');
  });

  test('a node reaches itself', async () => {
    const { clock, call } = cluster('a');
    expect(await clock.resolve(call('a', 'a'), 0)).toBe('resolved');
  });
});

describe('latency and order', () => {
  test('a round trip takes twice the latency', async () => {
    const { clock, call, seen } = cluster('ab', { latencyMs: 10 });
    await clock.resolve(call('a', 'b'), 1000);
    expect(seen['b']![0]!.at).toBe(10);
    expect(clock.now()).toBe(20);
  });

  test('jitter keeps the order of a link', async () => {
    const { clock, call, marks, seen } = cluster('ab', { latencyMs: 5, jitterMs: 20 });
    const sent = Array.from({ length: 50 }, (_, mark) => call('a', 'b', mark));
    await clock.resolve(Promise.all(sent), 1000);
    expect(marks('b')).toEqual(Array.from({ length: 50 }, (_, mark) => mark));
    expect(new Set(seen['b']!.map((record) => record.at)).size).toBeGreaterThan(1);
  });

  test('a change of latency keeps it too, both ways', async () => {
    const { clock, network, call, marks } = cluster('ab', { latencyMs: 10 });
    const calls = [call('a', 'b', 1)];
    await clock.advance(0);
    network.setFaults({ latencyMs: 0 });
    calls.push(call('a', 'b', 2));
    await clock.advance(0);
    expect(marks('b')).toEqual([]);
    await clock.resolve(Promise.all(calls), 100);
    calls.push(call('a', 'b', 3));
    network.setFaults({ latencyMs: 7 });
    calls.push(call('a', 'b', 4));
    await clock.resolve(Promise.all(calls), 100);
    expect(marks('b')).toEqual([1, 2, 3, 4]);
  });

  test('reordering lets messages overtake, and loses none', async () => {
    const { clock, network, call, marks } = cluster('ab', { latencyMs: 1, reorderRate: 0.3, reorderDelayMs: 10 });
    const inOrder = Array.from({ length: 60 }, (_, mark) => mark);
    const calls = [];
    for (const mark of inOrder) {
      calls.push(call('a', 'b', mark));
      await clock.advance(1);
    }
    await clock.resolve(Promise.all(calls), 1000);
    expect(marks('b')).not.toEqual(inOrder);
    expect([...marks('b')].sort((a, b) => a - b)).toEqual(inOrder);
    expect(network.stats.reordered).toBeGreaterThan(0);
  });
});

describe('loss and duplication', () => {
  test('a lost request never arrives, a lost response leaves its sender to time out', async () => {
    const { clock, network, call, marks } = cluster('ab', { lossRate: 0.5 }, 42);
    const calls = Array.from({ length: 100 }, (_, mark) => call('a', 'b', mark, 50));
    const codes = await clock.resolve(Promise.all(calls), 1000);
    const answered = codes.filter((code) => code === 'resolved').length;
    expect(new Set(codes)).toEqual(new Set(['resolved', 'RAFT_TRANSPORT_TIMEOUT']));
    expect(marks('b').length).toBeLessThan(100);
    expect(answered).toBeLessThan(marks('b').length);
    expect(network.stats.lost).toBe(100 - answered);
  });

  test('a duplicated request is handled twice, and its sender sees one response', async () => {
    const { clock, call, marks, seen } = cluster('ab', { duplicationRate: 1 });
    expect(await clock.resolve(call('a', 'b', 3), 0)).toBe('resolved');
    await clock.advance(10);
    expect(marks('b')).toEqual([3, 3]);
    expect(seen['b']![0]!.request).not.toBe(seen['b']![1]!.request);
  });

  test('the same seed gives the same run', async () => {
    const run = async (seed: number) => {
      const faults = { latencyMs: 3, jitterMs: 9, lossRate: 0.2, duplicationRate: 0.2, reorderRate: 0.2 };
      const { clock, network, call, seen } = cluster('abc', faults, seed);
      const calls = Array.from({ length: 40 }, (_, mark) => call('abc'[mark % 3]!, 'abc'[(mark + 1) % 3]!, mark, 100));
      await clock.resolve(Promise.all(calls), 1000);
      await clock.advance(100);
      return JSON.stringify([seen, network.stats]);
    };
    expect(await run(7)).toBe(await run(7));
    expect(await run(7)).not.toBe(await run(8));
  });

  test('faults of one direction stay when those of the network change, until they are cleared', async () => {
    const { clock, network, call } = cluster('ab');
    network.setFaults({ lossRate: 1 }, { from: 'a', to: 'b' });
    network.setFaults({ latencyMs: 1 });
    expect(await clock.resolve(call('a', 'b', 0, 10), 10)).toBe('RAFT_TRANSPORT_TIMEOUT');
    expect(await clock.resolve(call('b', 'b', 0, 10), 10)).toBe('resolved');
    network.clearFaults();
    expect(await clock.resolve(call('a', 'b', 0, 10), 0)).toBe('resolved');
  });

  test.each([{ lossRate: 1.5 }, { latencyMs: -1 }, { jitterMs: NaN }, { reorderDelayMs: Infinity }])(
    '%p is refused',
    (faults) => {
      expect(() => cluster('a', faults)).toThrow(expect.objectContaining({ code: 'RAFT_INVALID_OPTION' }));
    },
  );

  test('a full link loses what does not fit', async () => {
    const clock = new SimulatedClock();
    const network = new MemoryNetwork({ clock, maxMessagesPerLink: 2, faults: { latencyMs: 5 } });
    const transport = new MemoryTransport({ id: 'a', address: 'a', clock });
    network.connect(transport);
    const calls = [1, 2, 3].map((mark) => codeOf(transport.send(server('b'), heartbeat('a', mark), 50)));
    expect(await clock.resolve(Promise.all(calls), 50)).toEqual([
      'RAFT_TRANSPORT_FAILED',
      'RAFT_TRANSPORT_FAILED',
      'RAFT_TRANSPORT_TIMEOUT',
    ]);
    expect(network.stats.lost).toBe(1);
  });
});

describe('cuts', () => {
  const reach = async ({ clock, call }: ReturnType<typeof cluster>, from: string, to: string): Promise<boolean> =>
    (await clock.resolve(call(from, to, 0, 10), 10)) === 'resolved';

  test('a cut stops both directions, heal mends them', async () => {
    const all = cluster('abc');
    all.network.cut('a', 'b');
    expect([await reach(all, 'a', 'b'), await reach(all, 'b', 'a'), await reach(all, 'a', 'c')]).toEqual([
      false,
      false,
      true,
    ]);
    all.network.heal('b', 'a');
    expect(await reach(all, 'a', 'b')).toBe(true);
  });

  test('a one-way cut lets requests through in the other direction, but not their answers', async () => {
    const all = cluster('ab');
    all.network.cutOneWay('a', 'b');
    expect(await reach(all, 'a', 'b')).toBe(false);
    expect(all.marks('b')).toEqual([]);
    expect(await reach(all, 'b', 'a')).toBe(false);
    expect(all.marks('a')).toEqual([0]);
  });

  test('a cut takes what is on the link', async () => {
    const all = cluster('ab', { latencyMs: 5 });
    const sent = all.call('a', 'b', 0, 10);
    await all.clock.advance(2);
    all.network.cut('a', 'b');
    expect(await all.clock.resolve(sent, 10)).toBe('RAFT_TRANSPORT_TIMEOUT');
    expect(all.network.stats.cut).toBe(1);
  });

  test('an isolated node reaches nobody but itself, until it is healed', async () => {
    const all = cluster('abc');
    all.network.isolate('a');
    expect([await reach(all, 'a', 'b'), await reach(all, 'c', 'a'), await reach(all, 'b', 'c')]).toEqual([
      false,
      false,
      true,
    ]);
    expect(await reach(all, 'a', 'a')).toBe(true);
    all.network.heal('a');
    expect(await reach(all, 'a', 'b')).toBe(true);
  });

  test('a partition cuts between its groups; a node that none names is a bridge', async () => {
    const all = cluster('abcde');
    all.network.partition([
      ['a', 'b'],
      ['c', 'd'],
    ]);
    expect([await reach(all, 'a', 'b'), await reach(all, 'c', 'd'), await reach(all, 'a', 'e')]).toEqual([
      true,
      true,
      true,
    ]);
    expect([await reach(all, 'a', 'c'), await reach(all, 'd', 'b'), await reach(all, 'e', 'd')]).toEqual([
      false,
      false,
      true,
    ]);
    all.network.heal('a');
    expect([await reach(all, 'a', 'c'), await reach(all, 'b', 'c')]).toEqual([true, false]);
    all.network.heal();
    expect(await reach(all, 'b', 'c')).toBe(true);
  });
});

describe('nodes that come and go', () => {
  test('a request to a node that is not there fails, after a hop', async () => {
    const { clock, network, call } = cluster('a');
    expect(await clock.resolve(call('a', 'x'), 0)).toBe('RAFT_TRANSPORT_FAILED');
    expect(network.stats.unreachable).toBe(1);
  });

  test('a disconnected node neither hears nor is heard; its answers vanish', async () => {
    const { clock, network, nodes, call, marks } = cluster('ab');
    let answer: (() => void) | undefined;
    nodes['b']!.setHandler(() => new Promise((resolve) => (answer = () => resolve(appended('b')))));
    const sent = call('a', 'b', 1, 10);
    await clock.advance(1);
    network.disconnect('b');
    answer!();
    expect(await clock.resolve(sent, 10)).toBe('RAFT_TRANSPORT_TIMEOUT');
    expect(await clock.resolve(call('b', 'a', 2, 10), 10)).toBe('RAFT_TRANSPORT_TIMEOUT');
    expect(marks('a')).toEqual([]);
  });

  test('a node that comes back with a new transport is reached again', async () => {
    const { clock, network, nodes, call } = cluster('ab');
    await clock.resolve(call('a', 'b'), 0);
    await nodes['b']!.close();
    const fresh = new MemoryTransport({ id: 'b', address: 'b:1', clock });
    fresh.setHandler(() => Promise.resolve(appended('b', 77)));
    network.connect(fresh);
    const sent = nodes['a']!.send(server('b'), heartbeat('a'), 10);
    await expect(clock.resolve(sent, 0)).resolves.toMatchObject({ matchIndex: 77 });
    expect(await clock.resolve(codeOf(fresh.send(server('a'), heartbeat('b'), 10)), 0)).toBe('resolved');
  });
});
