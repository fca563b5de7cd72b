import { createHash } from 'node:crypto';
import { RaftError } from '../src/index.js';
import { TestCluster } from './support/test-cluster.js';

describe('a cluster', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.shutdown());

  test('of one server commits by itself', async () => {
    cluster = await TestCluster.start(1);
    expect(await cluster.apply('alone')).toMatchObject({ response: 1 });
  });

  test('of three elects one leader and replicates', async () => {
    cluster = await TestCluster.start(3);
    for (let i = 0; i < 100; i++) await cluster.apply(`line ${i}`);
    expect(await cluster.converge()).toHaveLength(100);
    expect(cluster.up.filter(({ raft }) => raft.state === 'leader')).toHaveLength(1);
  });

  test('elects another leader when its leader stops, and keeps what was acknowledged', async () => {
    cluster = await TestCluster.start(3);
    await cluster.apply('before');
    const old = await cluster.leader();
    await cluster.stop(old.id);
    const next = await cluster.leader();
    expect(next.id).not.toBe(old.id);
    await cluster.apply('after');
    await cluster.restart(old.id);
    expect(await cluster.converge()).toEqual(['before', 'after']);
  });

  test('a leader that is cut off steps down, and its proposals settle', async () => {
    cluster = await TestCluster.start(3);
    const old = await cluster.leader();
    cluster.network.isolate(old.id);
    const lost = old.raft.apply(Buffer.from('lost'));
    const outcome = lost.then(
      () => 'resolved',
      (error: unknown) => (error instanceof RaftError ? error.details.outcome : error),
    );
    await cluster.clock.advance(10_000);
    expect(await outcome).toBe('unknownOutcome');
    expect(old.raft.state).not.toBe('leader');
    await cluster.apply('kept');
    cluster.network.heal();
    expect(await cluster.converge()).toEqual(['kept']);
  });

  test('a proposal that another leader overwrites is reported lost', async () => {
    cluster = await TestCluster.start(3, { config: { outcomeGraceMs: 60_000 } });
    const old = await cluster.leader();
    cluster.network.isolate(old.id);
    const outcome = old.raft.apply(Buffer.from('lost')).catch((error: RaftError) => error.details.outcome);
    await cluster.clock.advance(5_000);
    await cluster.apply('kept');
    cluster.network.heal();
    await cluster.converge();
    expect(await outcome).toBe('lost');
  });

  test('a follower far behind catches up by a snapshot', async () => {
    cluster = await TestCluster.start(3, { config: { trailingLogs: 5, snapshotChunkBytes: 64 } });
    const leader = await cluster.leader();
    const behind = cluster.up.find(({ id }) => id !== leader.id)!;
    await cluster.stop(behind.id);
    for (let i = 0; i < 200; i++) await cluster.apply(`line ${i}`);
    await leader.raft.snapshot();
    expect(leader.logStore.firstIndex).toBeGreaterThan(190);
    await cluster.restart(behind.id);
    expect(await cluster.converge()).toHaveLength(200);
    expect(behind.raft.stats().lastSnapshotIndex).toBeGreaterThan(190);
  });

  test('leadership is handed over on request', async () => {
    cluster = await TestCluster.start(3);
    const old = await cluster.leader();
    const target = cluster.up.find(({ id }) => id !== old.id)!;
    await cluster.clock.resolve(old.raft.leadershipTransfer(target.id), 5_000);
    expect((await cluster.leader()).id).toBe(target.id);
  });

  test('reads are confirmed by a quorum, and refused without', async () => {
    cluster = await TestCluster.start(3);
    const leader = await cluster.leader();
    const { index } = await cluster.apply('x');
    expect(await cluster.clock.resolve(leader.raft.readIndex(), 1_000)).toBeGreaterThanOrEqual(index);
    cluster.network.isolate(leader.id);
    await expect(cluster.clock.resolve(leader.raft.verifyLeader(), 5_000)).rejects.toMatchObject({
      code: 'RAFT_LEADERSHIP_LOST',
    });
  });

  test('redacts superseded entries on every replica, and sends tombstones to who was away', async () => {
    cluster = await TestCluster.start(3);
    const away = (await cluster.leader()).id === 'a' ? 'b' : 'a';
    for (const { machine } of cluster.up) machine.onApply = (entry, context) => context.redact(entry.index - 1);
    await cluster.stop(away);
    await cluster.apply('one');
    await cluster.apply('two');
    const { index } = await cluster.apply('three');
    await cluster.restart(away);
    await cluster.clock.advanceUntil(() => cluster.raft(away).appliedIndex === index, 5_000);
    expect(cluster.raft(away).readable).toBe(true);
    const leader = await cluster.leader();
    await cluster.clock.advance(100);
    const types = leader.logStore.read(index - 2, index, 1e9).map(({ type }) => type);
    expect(types).toEqual([16, 16, 0]);
    expect(cluster.server(away).logStore.read(index - 2, index, 1e9)).toEqual(
      leader.logStore.read(index - 2, index, 1e9),
    );
    // Who was away is told of what it never saw; who applied it is not.
    const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
    expect([...cluster.server(away).machine.tombstones]).toEqual([
      [index - 2, hash('one')],
      [index - 1, hash('two')],
    ]);
    expect([...leader.machine.tombstones]).toEqual([]);
  });
});
