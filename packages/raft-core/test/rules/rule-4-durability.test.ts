import { RaftError } from '../../src/index.js';
import { CoreDriver, entriesOf } from '../support/core-driver.js';
import { Disk, SlowLogStore, SlowStableStore } from '../support/slow-stores.js';
import { TestCluster, type StoreWrapper, type TestServer } from '../support/test-cluster.js';

describe('rule 4: durability is explicit (core)', () => {
  test('term and vote are durable before the vote leaves', () => {
    const driver = new CoreDriver({ term: 1, durable: false });
    expect(driver.vote('b', 2, [0, 0])).toBeUndefined();
    expect(driver.writes[0]?.hardState).toEqual({ term: 2, votedFor: 'b' });
    driver.completeWrites();
    expect(driver.responseTo(driver.lastRequestId)).toMatchObject({ granted: true, term: 2 });
  });

  test('a refusal that tells a new term waits for the term to be durable too', () => {
    const driver = new CoreDriver({ term: 1, log: [1, 1], durable: false });
    expect(driver.vote('b', 2, [1, 1])).toBeUndefined();
    expect(driver.preVote('b', 9, [2, 1])).toBeUndefined();
    driver.completeWrites();
    expect(driver.responseTo(1)).toMatchObject({ granted: false, term: 2 });
    expect(driver.responseTo(2)).toMatchObject({ granted: true, term: 2 });
  });

  test('a second candidate of the term is refused while the first one’s vote is being written', () => {
    const driver = new CoreDriver({ term: 1, durable: false });
    driver.vote('b', 2, [0, 0]);
    driver.vote('c', 2, [0, 0]);
    driver.completeWrites();
    expect(driver.responseTo(1)).toMatchObject({ granted: true });
    expect(driver.responseTo(2)).toMatchObject({ granted: false });
    expect(driver.hardState).toEqual({ term: 2, votedFor: 'b' });
  });

  test('a candidate asks nobody, and does not count itself, before its own vote is durable', () => {
    const driver = new CoreDriver({ voters: ['a'], term: 1, durable: false });
    driver.passToDeadline();
    expect(driver.core.state).toBe('candidate');
    driver.completeWrites();
    expect(driver.core.state).toBe('leader');
    const other = new CoreDriver({ term: 1, durable: false });
    other.passToDeadline();
    expect(other.sent('requestVote')).toEqual([]);
    other.completeWrites();
    expect(other.sent('requestVote')).toHaveLength(2);
  });

  test('entries are acknowledged when they are durable, a duplicate of them no earlier', () => {
    const driver = new CoreDriver({ term: 1, durable: false });
    expect(driver.append('b', 1, [0, 0], entriesOf([1]))).toBeUndefined();
    expect(driver.append('b', 1, [0, 0], entriesOf([1]))).toBeUndefined();
    driver.completeWrites();
    expect(driver.responseTo(1)).toMatchObject({ success: true, matchIndex: 1 });
    expect(driver.responseTo(2)).toMatchObject({ success: true, matchIndex: 1 });
    expect(driver.log).toEqual(['1@1']);
  });

  test('a heartbeat is answered while entries are being written: it vouches for none of them', () => {
    const driver = new CoreDriver({ term: 1, durable: false });
    driver.append('b', 1, [0, 0], entriesOf([1]));
    expect(driver.append('b', 1, [0, 0])).toMatchObject({ success: true, matchIndex: 0 });
  });

  test('the leader replicates while its own write runs, and counts itself only on completion', () => {
    const driver = new CoreDriver({ term: 1 });
    driver.becomeLeader();
    for (const peer of ['b', 'c']) driver.acknowledge(peer);
    driver.durable = false;
    const effects = driver.propose('x');
    expect(driver.writes).toHaveLength(1);
    expect(driver.sent('appendEntries', undefined, effects)).toHaveLength(2);
    driver.acknowledge('b', effects);
    expect(driver.core).toMatchObject({ commitIndex: 1, lastIndex: 2, stableIndex: 1 });
    driver.completeWrites();
    expect(driver.core.commitIndex).toBe(2);
  });

  test('two followers are a quorum without the leader’s own disk', () => {
    const driver = new CoreDriver({ term: 1 });
    driver.becomeLeader();
    for (const peer of ['b', 'c']) driver.acknowledge(peer);
    driver.durable = false;
    const effects = driver.propose('x');
    driver.acknowledge('b', effects);
    expect(driver.core.commitIndex).toBe(1);
    driver.acknowledge('c', effects);
    expect(driver.core).toMatchObject({ commitIndex: 2, stableIndex: 1 });
  });

  test('after a failed write a node leads no more, campaigns no more, and answers nobody', () => {
    const driver = new CoreDriver({ term: 1 });
    driver.becomeLeader();
    driver.step({ type: 'persistFailed' });
    expect(driver.core.state).toBe('follower');
    driver.pass(60_000);
    driver.pass(60_000);
    expect(driver.core).toMatchObject({ state: 'follower', term: 2 });
    expect(driver.vote('b', 9, [9, 9])).toBeUndefined();
    expect(driver.append('b', 9, [0, 0])).toBeUndefined();
    expect(driver.ofType('refuseRequest').map(({ failure }) => failure.code)).toEqual([
      'RAFT_STORE_FAILED',
      'RAFT_STORE_FAILED',
    ]);
    expect(driver.ofType('refuseProposals', driver.propose('x'))[0]).toMatchObject({ outcome: 'notAppended' });
  });
});

describe('rule 4: durability is explicit (runtime)', () => {
  let cluster: TestCluster;
  let disks: Map<string, Disk>;
  const wrap: StoreWrapper = (id, { logStore, stableStore, snapshotStore }) => {
    const disk = new Disk();
    disk.immediate = true;
    disks.set(id, disk);
    return {
      logStore: new SlowLogStore(logStore, disk),
      stableStore: new SlowStableStore(stableStore, disk),
      snapshotStore,
    };
  };
  beforeEach(() => {
    disks = new Map();
  });
  afterEach(async () => {
    for (const disk of disks.values()) {
      disk.held = false;
      while (disk.waiting.length > 0) disk.waiting[0]!.complete();
    }
    await cluster.shutdown();
  });

  async function leaderWithHeldDisk(n: number): Promise<{ leader: TestServer; disk: Disk }> {
    cluster = await TestCluster.start(n, { wrap });
    await cluster.apply('first');
    const leader = await cluster.leader();
    const disk = disks.get(leader.id)!;
    disk.immediate = false;
    return { leader, disk };
  }

  test('writes between two completions become one', async () => {
    const { leader, disk } = await leaderWithHeldDisk(1);
    disk.calls.length = 0;
    const applied = [];
    for (let i = 0; i < 10; i++) {
      applied.push(leader.raft.apply(Buffer.from(`line ${i}`)));
      await cluster.clock.advance(1);
    }
    expect(disk.waiting.map(({ call }) => call)).toEqual(['append']);
    disk.complete('append');
    await cluster.clock.advance(1);
    expect(leader.logStore.lastIndex).toBe(leader.raft.lastIndex - 9);
    disk.complete('append');
    const results = await cluster.clock.resolve(Promise.all(applied), 1000);
    expect(results.map(({ response }) => response)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(disk.calls).toEqual(['append', 'append']);
  });

  test('a proposal on one server resolves when its write has completed, not before', async () => {
    const { leader, disk } = await leaderWithHeldDisk(1);
    let settled = false;
    const applied = leader.raft.apply(Buffer.from('x')).finally(() => (settled = true));
    await cluster.clock.advance(10_000);
    expect(settled).toBe(false);
    disk.complete('append');
    expect(await cluster.clock.resolve(applied, 10)).toMatchObject({ response: 2 });
  });

  test('a vote leaves a server only when its disk has it', async () => {
    cluster = await TestCluster.start(3, { wrap });
    for (const disk of disks.values()) disk.immediate = false;
    await cluster.clock.advance(10_000);
    const votes = (): number =>
      cluster.network.delivered.filter(({ message }) => message.kind === 'requestVoteResponse').length;
    const asking = [...disks].filter(([, disk]) => disk.waiting.some(({ call }) => call === 'save'));
    expect(asking.length).toBeGreaterThan(0);
    expect(cluster.network.delivered.some(({ message }) => message.kind === 'requestVote')).toBe(false);
    const [candidate] = asking[0]!;
    disks.get(candidate)!.complete('save');
    await cluster.clock.advance(10);
    expect(votes()).toBe(0);
    for (const [id, disk] of disks) if (id !== candidate && disk.waiting[0]) disk.complete('save');
    await cluster.clock.advance(10);
    expect(votes()).toBeGreaterThan(0);
  });

  test('a failed write stops the node; what was proposed has an unknown outcome; nothing is written after it', async () => {
    const { leader, disk } = await leaderWithHeldDisk(3);
    const applied = leader.raft.apply(Buffer.from('x'));
    const outcome = applied.catch((error: unknown) => error);
    await cluster.clock.advance(0);
    disk.waiting[0]!.fail(new Error('disk full'));
    const error = await cluster.clock.resolve(outcome, 100);
    expect(error).toBeInstanceOf(RaftError);
    expect(error).toMatchObject({ code: 'RAFT_SHUTDOWN', details: { outcome: 'unknownOutcome' } });
    expect(leader.raft).toMatchObject({ state: 'shutdown', failure: { code: 'RAFT_STORE_FAILED' } });
    expect((leader.raft.failure?.cause as Error).message).toBe('disk full');
    const calls = disk.calls.length;
    leader.up = false;
    await cluster.leader();
    await cluster.clock.advance(10_000);
    expect(disk.calls).toHaveLength(calls);
  });

  test('a store that fails at once is treated alike', async () => {
    const { leader, disk } = await leaderWithHeldDisk(3);
    disk.failures.set('append', new Error('no disk'));
    disk.throwsAtOnce = true;
    const error = await cluster.clock.resolve(
      leader.raft.apply(Buffer.from('x')).catch((reason: unknown) => reason),
      100,
    );
    // It may have written before it failed, and the entry is on its way to the others.
    expect(error).toMatchObject({ code: 'RAFT_SHUTDOWN', details: { outcome: 'unknownOutcome' } });
    expect(leader.raft.failure?.code).toBe('RAFT_STORE_FAILED');
  });

  test('a read error is an error, never "no more entries": a follower waits, and gets all once reads work', async () => {
    cluster = await TestCluster.start(3, { wrap, config: { logCacheBytes: 1 } });
    const leader = await cluster.leader();
    const away = cluster.up.find(({ id }) => id !== leader.id)!;
    await cluster.stop(away.id);
    for (let i = 0; i < 20; i++) await cluster.apply(`line ${i}`);
    disks.get(leader.id)!.failures.set('read', new Error('bad sector'));
    await cluster.restart(away.id);
    await cluster.clock.advance(3000);
    expect(away.machine.lines).toEqual([]);
    expect(leader.raft.state).toBe('leader');
    disks.get(leader.id)!.failures.clear();
    expect(await cluster.converge()).toHaveLength(20);
  });

  test('a read error while applying stops the node with the store’s name', async () => {
    cluster = await TestCluster.start(3, { wrap, config: { logCacheBytes: 1 } });
    const leader = await cluster.leader();
    for (let i = 0; i < 20; i++) await cluster.apply(`line ${i}`);
    await cluster.stop(leader.id);
    const next = await cluster.leader();
    const other = cluster.up.find(({ id }) => id !== next.id)!;
    await cluster.stop(other.id);
    await cluster.restart(other.id);
    disks.get(other.id)!.failures.set('read', new Error('bad sector'));
    await cluster.clock.advance(5000);
    expect(other.raft.failure).toMatchObject({ code: 'RAFT_STORE_FAILED' });
    expect(other.machine.lines).toEqual([]);
  });
});
