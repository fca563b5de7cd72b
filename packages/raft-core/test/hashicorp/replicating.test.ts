/** hashicorp/raft's scenarios of followers that lag and of snapshots, on our API; see docs/raft-coverage.md. */
import { TestCluster } from '../support/test-cluster.js';
import { applyLines, codeOf, followersOf, settled } from './acts.js';

describe('followers that lag', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.shutdown());

  test('a follower that was cut off gets a hundred entries', async () => {
    cluster = await TestCluster.start(3);
    const leader = await cluster.leader();
    const [behind] = await followersOf(cluster);
    cluster.network.isolate(behind!.id);
    await applyLines(cluster, 100);
    expect(behind!.raft.lastContactMs).toBeLessThan(Infinity);
    expect(behind!.machine.lines).toEqual([]);
    cluster.network.heal();
    expect(await cluster.converge()).toHaveLength(100);
    expect((await cluster.leader()).id).toBe(leader.id);
  });

  test.each([0, 100])('a follower that was cut off gets a snapshot, and %i entries after it', async (after) => {
    cluster = await TestCluster.start(3, { config: { trailingLogs: 10 } });
    const leader = await cluster.leader();
    const [behind] = await followersOf(cluster);
    cluster.network.isolate(behind!.id);
    await applyLines(cluster, 100);
    for (const { id, raft } of cluster.up) {
      const code = await codeOf(cluster, raft.snapshot());
      if (id !== behind!.id) expect(code).toBe('resolved');
    }
    await applyLines(cluster, after, 100);
    expect(leader.logStore.firstIndex).toBeGreaterThan(80);
    cluster.network.heal();
    expect(await cluster.converge()).toHaveLength(100 + after);
    expect(behind!.raft.stats().lastSnapshotIndex).toBeGreaterThan(80);
  });
});

describe('snapshots', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.shutdown());

  test('a restart begins with the snapshot and leaves the trailing log as it was', async () => {
    cluster = await TestCluster.start(1, { config: { trailingLogs: 10 } });
    await applyLines(cluster, 100);
    const { raft, logStore } = cluster.server('a');
    const meta = await settled(cluster, raft.snapshot());
    expect(logStore.firstIndex).toBe(meta.index - 10 + 1);
    const { lastIndex } = logStore;
    await cluster.stop('a');
    await cluster.restart('a');
    expect(cluster.raft('a').appliedIndex).toBe(meta.index);
    expect(cluster.server('a').machine.lines).toHaveLength(100);
    expect([logStore.firstIndex, logStore.lastIndex]).toEqual([meta.index - 10 + 1, lastIndex]);
    await cluster.apply('goes on');
    expect(cluster.server('a').machine.lines).toHaveLength(101);
  });

  test('is taken by itself once enough is applied', async () => {
    cluster = await TestCluster.start(1, {
      config: { snapshotIntervalMs: 100, snapshotThreshold: 50, trailingLogs: 10 },
    });
    await applyLines(cluster, 100);
    const { raft, snapshotStore } = cluster.server('a');
    await cluster.clock.advanceUntil(() => raft.stats().lastSnapshotIndex >= 50, 1000);
    expect(snapshotStore.list()).toHaveLength(1);
  });

  test('is taken on request, but not of nothing new', async () => {
    cluster = await TestCluster.start(1);
    const { raft } = await cluster.leader();
    await applyLines(cluster, 10);
    const meta = await settled(cluster, raft.snapshot());
    expect(meta.index).toBe(raft.appliedIndex);
    expect(await codeOf(cluster, raft.snapshot())).toBe('RAFT_NOTHING_NEW_TO_SNAPSHOT');
    await cluster.apply('new');
    expect((await settled(cluster, raft.snapshot())).index).toBe(meta.index + 1);
  });
});
