// Disks that are slow: heartbeats are answered while an append is being written, and say nothing about it.
import { CoreDriver, entry, header } from './support/core-driver.js';
import { TestCluster, type ClusterOptions } from './support/test-cluster.js';
import type { LogEntry } from '../src/index.js';

let cluster: TestCluster;
// Only time ends a write that hangs.
afterEach(() => cluster?.clock.resolve(cluster.shutdown(), 100_000));

/** How long the appends of a server take, milliseconds. */
const slow: Record<string, number> = {};
beforeEach(() => {
  for (const id of Object.keys(slow)) delete slow[id];
});

/** Stores whose appends take as long as `slow` says. */
function slowAppends(): ClusterOptions {
  return {
    wrap: (id, stores) => {
      const { logStore } = stores;
      const append = (entries: readonly LogEntry[]): void | Promise<void> => {
        const ms = slow[id] ?? 0;
        if (ms === 0) return logStore.append(entries);
        return new Promise((resolve) => {
          cluster.clock.setTimer(ms, () => resolve(logStore.append(entries)));
        });
      };
      const wrapped = new Proxy(logStore, {
        get: (store, name) => {
          const value: unknown = Reflect.get(store, name, store);
          if (name === 'append') return append;
          return typeof value === 'function' ? (value.bind(store) as unknown) : value;
        },
      });
      return { ...stores, logStore: wrapped };
    },
  };
}

describe('a follower whose disk is slower than the lease', () => {
  test('answers heartbeats while it writes, and costs the leader nothing', async () => {
    cluster = await TestCluster.start(2, slowAppends());
    const leader = await cluster.leader();
    await cluster.apply('first');
    const down: string[] = [];
    leader.raft.on('stateChange', ({ to }) => down.push(to));
    leader.raft.on('heartbeatFailed', ({ peerId }) => down.push(peerId));
    slow[cluster.up.find(({ id }) => id !== leader.id)!.id] = 900;
    const applied: Promise<unknown>[] = [];
    // Never idle: each append is followed by the next before it is answered.
    for (let i = 0; i < 100; i++) {
      applied.push(leader.raft.apply(Buffer.from(`line ${i}`)));
      await cluster.clock.advance(50);
    }
    await cluster.clock.resolve(Promise.all(applied), 10_000);
    expect(down).toEqual([]);
    expect(leader.raft.state).toBe('leader');
  });

  test.each([
    ['ours', 1],
    ["hashicorp/raft's", 0],
  ])('%s heartbeat is answered at once, without a word about what is being written', (_, prev) => {
    const driver = new CoreDriver({ log: [1], durable: false });
    const append = { kind: 'appendEntries', header: header('b'), term: 1, redactedThrough: 0 } as const;
    driver.request({ ...append, prevLogIndex: 1, prevLogTerm: 1, entries: [entry(2, 1)], leaderCommitIndex: 0 });
    expect(driver.ofType('reply', driver.effects)).toEqual([]);
    const heartbeat = { ...append, prevLogIndex: prev, prevLogTerm: prev, entries: [], leaderCommitIndex: 0 };
    expect(driver.request(heartbeat)).toMatchObject({ success: true, matchIndex: prev });
    // And a question about the entry itself waits for the disk.
    const question = { ...append, prevLogIndex: 2, prevLogTerm: 1, entries: [], leaderCommitIndex: 0 };
    expect(driver.request(question)).toBeUndefined();
    const answers = driver.ofType('reply', driver.completeWrites());
    expect(answers.map(({ response }) => response)).toMatchObject([{ matchIndex: 2 }, { matchIndex: 2 }]);
  });
});

describe('an answer that was lost', () => {
  test('is asked for again at the next heartbeat, without the entries', async () => {
    cluster = await TestCluster.start(3);
    const leader = await cluster.leader();
    await cluster.apply('first');
    await cluster.converge();
    await cluster.clock.advance(1000);
    let lost = 0;
    cluster.network.filter = (_, __, message) =>
      !(message.kind === 'appendEntriesResponse' && message.matchIndex > 2 && lost++ < 2);
    const begin = cluster.clock.now();
    const sent = cluster.network.delivered.length;
    await cluster.clock.resolve(leader.raft.apply(Buffer.from('second')), 5000);
    expect(lost).toBeGreaterThanOrEqual(2);
    // A heartbeat goes out within 200 ms; half a heartbeat timeout would be 500.
    expect(cluster.clock.now() - begin).toBeLessThan(250);
    const carried = cluster.network.delivered
      .slice(sent)
      .filter(({ message }) => message.kind === 'appendEntries' && message.entries.length > 0);
    expect(carried).toHaveLength(2);
  });
});

describe('a leader whose disk is slower than the lease', () => {
  test('leads on while the others are as slow', async () => {
    cluster = await TestCluster.start(3, slowAppends());
    const leader = await cluster.leader();
    await cluster.apply('first');
    for (const { id } of cluster.up) slow[id] = 700;
    slow[leader.id] = 1000;
    const changes: string[] = [];
    leader.raft.on('stateChange', ({ to }) => changes.push(to));
    for (let i = 0; i < 10; i++) await cluster.apply(`line ${i}`, leader);
    expect(changes).toEqual([]);
  });

  test('and hangs while another voter goes on: hands over after a lease and a heartbeat timeout', async () => {
    cluster = await TestCluster.start(3, slowAppends());
    const leader = await cluster.leader();
    await cluster.apply('first');
    await cluster.converge();
    slow[leader.id] = 60_000;
    const begin = cluster.clock.now();
    leader.raft.apply(Buffer.from('second')).catch(() => undefined);
    await cluster.clock.advanceUntil(
      () => cluster.up.some(({ id, raft }) => id !== leader.id && raft.state === 'leader'),
      5000,
    );
    expect(cluster.clock.now() - begin).toBeGreaterThan(1500);
    expect(cluster.clock.now() - begin).toBeLessThan(2000);
  });
});
