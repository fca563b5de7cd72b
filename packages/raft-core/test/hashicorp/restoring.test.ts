/** hashicorp/raft's scenarios of restoring and recovering a cluster, on our API; see docs/raft-coverage.md. */
import { parsePeersJson, recoverCluster, type Configuration, type SnapshotBytes } from '../../src/index.js';
import { TestCluster, TextMachine, type TestServer } from '../support/test-cluster.js';
import { addressOf, applyLines, membersOf, settled } from './acts.js';

let cluster: TestCluster;
afterEach(() => cluster.shutdown());

const lines = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `line ${from + i}`);

describe('a snapshot of ten entries is restored by the user', () => {
  const offsets = [0, 1, 2, 100, 1000, 10_000];

  test.each(offsets)('on its own cluster, after ten more entries, its index raised by %i', async (offset) => {
    cluster = await TestCluster.start(3);
    await applyLines(cluster, 10);
    const leader = await cluster.leader();
    const { meta, bytes } = await taken(leader);
    await applyLines(cluster, 10, 10);
    const { lastIndex } = leader.raft;
    const index = await settled(cluster, leader.raft.restore({ ...meta, index: meta.index + offset }, bytes));
    expect(index).toBeGreaterThan(Math.max(lastIndex, meta.index + offset));
    await expectTenThenMore();
  });

  test.each(offsets)('on a new cluster, its index raised by %i', async (offset) => {
    cluster = await TestCluster.start(3);
    await applyLines(cluster, 10);
    const { meta, bytes } = await taken(await cluster.leader());
    await cluster.shutdown();
    cluster = await TestCluster.start(3, { seed: 2 });
    const leader = await cluster.leader();
    // Before the first configuration is committed a restore is refused, as retryable.
    await settled(cluster, leader.raft.barrier());
    const index = await settled(cluster, leader.raft.restore({ ...meta, index: meta.index + offset }, bytes));
    expect(index).toBeGreaterThan(meta.index + offset);
    await expectTenThenMore();
  });

  async function expectTenThenMore(): Promise<void> {
    expect(await cluster.converge()).toEqual(lines(0, 10));
    await applyLines(cluster, 10, 20);
    expect(await cluster.converge()).toEqual([...lines(0, 10), ...lines(20, 30)]);
  }
});

describe('a cluster is recovered', () => {
  test.each([
    ['no snapshot and no commands', 0],
    ['commands and no snapshot', 4],
    ['a snapshot and commands after it', 25],
  ])('with %s: every server, each from its own stores', async (_, count) => {
    const config = { trailingLogs: 10, snapshotThreshold: 20, snapshotIntervalMs: 100 };
    cluster = await TestCluster.start(3, { config });
    for (let i = 0; i < count; i++) await cluster.apply(`line ${i}`);
    await cluster.leader();
    await cluster.converge();
    if (count > 20) await cluster.clock.advance(500);
    const { configuration } = cluster.raft('a').getConfiguration();
    for (const { id } of cluster.up) await cluster.stop(id);
    for (const server of cluster.servers.values()) {
      const hadSnapshot = server.snapshotStore.list().length > 0;
      expect(hadSnapshot).toBe(count > 20);
      const meta = await recover(server, configuration);
      expect(server.snapshotStore.list()[0]).toEqual(meta);
      expect(server.logStore.lastIndex).toBe(meta.index);
      expect(server.logStore.firstIndex).toBe(meta.index + 1);
      await cluster.restart(server.id);
    }
    await cluster.apply('after');
    expect(await cluster.converge()).toEqual([...lines(0, count), 'after']);
    for (const server of cluster.up) expect(membersOf(server)).toBe('a:voter b:voter c:voter');
  });

  test('by a peers.json, of one old server and two new ones', async () => {
    cluster = await TestCluster.start(3, { config: { trailingLogs: 10 } });
    await applyLines(cluster, 100);
    const left = await cluster.leader();
    await settled(cluster, left.raft.snapshot());
    for (const { id } of cluster.up) await cluster.stop(id);
    const ids = [left.id, 'x', 'y'];
    const peers = JSON.stringify(ids.map((id) => ({ id, address: addressOf(id) })));
    await recover(left, parsePeersJson(peers));
    for (const id of [...cluster.servers.keys()]) if (id !== left.id) cluster.servers.delete(id);
    await cluster.restart(left.id);
    for (const id of ['x', 'y']) await cluster.add(id);
    await cluster.apply('after');
    expect(await cluster.converge()).toEqual([...lines(0, 100), 'after']);
    const members = ids.map((id) => `${id}:voter`).sort();
    for (const server of cluster.up) expect(membersOf(server)).toBe(members.join(' '));
  });

  test('but not from stores that hold nothing', async () => {
    cluster = await TestCluster.start(0);
    const server = await cluster.add('a');
    await cluster.stop('a');
    const configuration = parsePeersJson(JSON.stringify([{ id: 'a', address: addressOf('a') }]));
    await expect(recover(server, configuration)).rejects.toMatchObject({ code: 'RAFT_INVALID_OPTION' });
  });

  function recover(server: TestServer, configuration: Configuration): ReturnType<typeof recoverCluster> {
    return recoverCluster({ ...server, stateMachine: new TextMachine(), configuration });
  }
});

/** Takes a snapshot and reads it, as a user would keep it elsewhere. */
async function taken(
  server: TestServer,
): Promise<{ meta: { version: number; index: number; size: number }; bytes: SnapshotBytes }> {
  const meta = await settled(cluster, server.raft.snapshot());
  const source = server.snapshotStore.open(meta.id);
  const chunk = await source.read(0, meta.size);
  async function* bytes(): SnapshotBytes {
    yield chunk;
  }
  return { meta, bytes: bytes() };
}
