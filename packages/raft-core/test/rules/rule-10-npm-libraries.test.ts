// RAFT.md, section 4, rule 10: what broke the Raft libraries of npm, each as a test.
import { MemoryStableStore, type RpcRequest, type RpcResponse } from '../../src/index.js';
import { CoreDriver, voter } from '../support/core-driver.js';
import { TestCluster } from '../support/test-cluster.js';

type Delivered = readonly { readonly to: string; readonly message: RpcRequest | RpcResponse }[];

function appendsIn(delivered: Delivered): { messages: number; bytes: number; entries: number } {
  let [messages, bytes, entries] = [0, 0, 0];
  for (const { message } of delivered) {
    if (message.kind !== 'appendEntries' || message.entries.length === 0) continue;
    messages++;
    for (const { data } of message.entries) bytes += data.length;
    entries += message.entries.length;
  }
  return { messages, bytes, entries };
}

describe('rule 10: what broke other libraries', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.shutdown());

  test('ten concurrent commands each get their own result', async () => {
    cluster = await TestCluster.start(3);
    const { raft, machine } = await cluster.leader();
    const applied = Array.from({ length: 10 }, (_, i) => raft.apply(Buffer.from(`line ${i}`)));
    const results = await cluster.clock.resolve(Promise.all(applied), 1000);
    const first = results[0]!.index;
    results.forEach((result, i) => {
      expect(result).toMatchObject({ index: first + i, response: i + 1 });
      expect(machine.lines[result.response - 1]).toBe(`line ${i}`);
    });
  });

  test('of ten concurrent commands of which none commits, none resolves', async () => {
    cluster = await TestCluster.start(3);
    const old = await cluster.leader();
    cluster.network.isolate(old.id);
    const outcomes = Array.from({ length: 10 }, (_, i) =>
      old.raft.apply(Buffer.from(`line ${i}`)).then(
        () => 'resolved',
        (error: { details: { outcome: string } }) => error.details.outcome,
      ),
    );
    await cluster.clock.advance(10_000);
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['unknownOutcome']));
  });

  test('a command in the moment of the election neither takes the place of the new leader’s noop nor is lost', async () => {
    cluster = await TestCluster.start(3);
    const results: Promise<{ index: number }>[] = [];
    for (const { raft } of cluster.up) {
      raft.on('stateChange', ({ to }) => {
        if (to === 'leader') results.push(raft.apply(Buffer.from('at once')));
      });
    }
    const leader = await cluster.leader();
    const { index } = await cluster.clock.resolve(results[0]!, 1000);
    const [noop, command] = leader.logStore.read(index - 1, index, 1e9);
    expect([noop?.type, command?.type, noop?.term]).toEqual([1, 0, command?.term]);
    expect(await cluster.converge()).toEqual(['at once']);
  });

  test('concurrent commands and changes of leader: what is acknowledged is there, once', async () => {
    cluster = await TestCluster.start(5, { seed: 3 });
    const acknowledged: string[] = [];
    for (let round = 0; round < 6; round++) {
      const { raft, id } = await cluster.leader();
      const lines = Array.from({ length: 20 }, (_, i) => `round ${round} line ${i}`);
      for (const line of lines)
        raft.apply(Buffer.from(line)).then(
          () => acknowledged.push(line),
          () => undefined,
        );
      await cluster.clock.advance(round % 2);
      cluster.network.heal();
      cluster.network.isolate(id);
      await cluster.clock.advance(4000);
    }
    cluster.network.heal();
    const lines = await cluster.converge();
    expect(lines).toEqual(expect.arrayContaining(acknowledged));
    expect(new Set(lines).size).toBe(lines.length);
  });

  test('an even cluster needs n/2 + 1: two halves have no leader between them', async () => {
    cluster = await TestCluster.start(4);
    await cluster.apply('before');
    for (const a of ['a', 'b']) for (const b of ['c', 'd']) cluster.network.cut(a, b);
    await cluster.clock.advance(20_000);
    expect(cluster.up.filter(({ raft }) => raft.state === 'leader')).toEqual([]);
    cluster.network.heal();
    await cluster.apply('after');
    expect(await cluster.converge()).toEqual(['before', 'after']);
  });

  test('match indexes are sorted as numbers: entry 100 is not committed because 9 is on a majority', () => {
    cluster = { shutdown: async () => {} } as TestCluster;
    const driver = new CoreDriver({ voters: ['a', 'b', 'c'], term: 1, log: Array<number>(8).fill(1) });
    driver.becomeLeader();
    driver.acknowledge('b');
    driver.acknowledge('c');
    expect(driver.core.commitIndex).toBe(9);
    driver.durable = false;
    for (let i = 10; i <= 100; i++) driver.propose(`${i}`);
    driver.acknowledge('b');
    expect(driver.core).toMatchObject({ lastIndex: 100, stableIndex: 9, commitIndex: 9 });
    driver.completeWrites();
    expect(driver.core.commitIndex).toBeGreaterThan(9);
  });

  test('entries under way are not sent again with each new proposal', () => {
    cluster = { shutdown: async () => {} } as TestCluster;
    const driver = new CoreDriver({
      servers: ['a', 'b', 'c'].map(voter),
      term: 1,
      config: { maxInflightAppends: 1000 },
    });
    driver.becomeLeader();
    for (const peer of ['b', 'c']) driver.acknowledge(peer);
    driver.effects = [];
    for (let i = 0; i < 100; i++) driver.propose(`line ${i}`);
    const entries = driver.sent('appendEntries', 'b').flatMap(({ request }) => request.entries);
    expect(entries.map(({ index }) => index)).toEqual(Array.from({ length: 100 }, (_, i) => i + 2));
  });

  test('throughput does not fall with load: requests and bytes for each entry do not grow', async () => {
    const cost = async (concurrent: number): Promise<{ messagesPerEntry: number; copies: number }> => {
      cluster = await TestCluster.start(3);
      const { raft } = await cluster.leader();
      await cluster.apply('warm');
      const before = cluster.network.delivered.length;
      const total = 2000;
      const data = Buffer.alloc(100);
      let next = 0;
      const client = async (): Promise<void> => {
        while (next++ < total) await raft.apply(data);
      };
      await cluster.clock.resolve(Promise.all(Array.from({ length: concurrent }, client)), 100_000);
      await cluster.clock.advance(1000);
      const { messages, bytes } = appendsIn(cluster.network.delivered.slice(before));
      await cluster.shutdown();
      return { messagesPerEntry: messages / total, copies: bytes / (total * data.length) };
    };
    const [one, ten, thousand] = [await cost(1), await cost(10), await cost(1000)];
    for (const { copies } of [one, ten, thousand]) expect(copies).toBe(2);
    expect(one.messagesPerEntry).toBe(2);
    expect(ten.messagesPerEntry).toBeLessThanOrEqual(0.3);
    expect(thousand.messagesPerEntry).toBeLessThanOrEqual(0.05);
  });

  test('term and vote outlive a restart: nobody votes twice in a term', async () => {
    cluster = await TestCluster.start(3);
    await cluster.apply('x');
    for (const { id, stableStore } of cluster.up) {
      const { term, votedFor } = stableStore.load()!;
      await cluster.stop(id);
      await cluster.restart(id);
      expect(cluster.raft(id).term).toBe(term);
      expect(votedFor).not.toBeNull();
      expect(stableStore.load()).toEqual({ term, votedFor });
    }
    expect(new MemoryStableStore().load()).toBeNull();
  });
});
