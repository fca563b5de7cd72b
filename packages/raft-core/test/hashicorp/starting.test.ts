/** hashicorp/raft's scenarios of starting, stopping and observing, on our API; see docs/raft-coverage.md. */
import { MemoryLogStore, hasExistingState, readConfiguration } from '../../src/index.js';
import { TestCluster } from '../support/test-cluster.js';
import { addressOf, applyLines, codeOf, followersOf, settled } from './acts.js';

describe('starting', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.shutdown());

  test('one server is bootstrapped while it runs; the others learn of the cluster from it', async () => {
    cluster = await TestCluster.start(0);
    for (const id of ['a', 'b', 'c']) await cluster.add(id);
    const servers = ['a', 'b', 'c'].map((id) => ({ id, address: addressOf(id), suffrage: 'voter' as const }));
    await cluster.raft('a').bootstrap({ servers });
    expect((await cluster.leader()).id).toBe('a');
    await cluster.apply('test');
    expect(await cluster.converge()).toEqual(['test']);
    for (const { raft } of cluster.up) {
      expect(raft.getConfiguration().configuration.servers).toEqual(servers);
      expect(await codeOf(cluster, raft.bootstrap({ servers }))).toBe('RAFT_ALREADY_BOOTSTRAPPED');
    }
  });

  test('a server has existing state once it took part, not before', async () => {
    cluster = await TestCluster.start(1);
    const leader = await cluster.leader();
    const joining = await cluster.add('b');
    const hasState = (): Promise<boolean> =>
      hasExistingState(joining.logStore, joining.stableStore, joining.snapshotStore);
    expect(await hasState()).toBe(false);
    await settled(cluster, leader.raft.addVoter('b', addressOf('b')));
    await cluster.converge();
    expect(await hasState()).toBe(true);
  });

  test('every server names the leader, by id and address', async () => {
    cluster = await TestCluster.start(3);
    const { id } = await cluster.leader();
    await applyLines(cluster, 5);
    await cluster.converge();
    for (const { raft } of cluster.up) expect(raft.leader).toEqual({ id, address: addressOf(id) });
  });

  test('that a server leads is observed, and that it stops', async () => {
    cluster = await TestCluster.start(1);
    const seen: string[] = [];
    const { raft } = cluster.server('a');
    raft.on('stateChange', ({ to }) => seen.push(to));
    raft.on('shutdown', ({ error }) => seen.push(`shutdown, ${error}`));
    await cluster.leader();
    expect(seen.at(-1)).toBe('leader');
    await raft.shutdown();
    expect(seen.at(-1)).toBe('shutdown, null');
  });

  test('a follower that restarts starts no election', async () => {
    cluster = await TestCluster.start(3);
    await applyLines(cluster, 10);
    const leader = await cluster.leader();
    const { term } = leader.raft;
    const [follower] = await followersOf(cluster);
    await cluster.stop(follower!.id);
    await cluster.restart(follower!.id);
    await cluster.clock.advance(5000);
    expect(leader.raft.state).toBe('leader');
    expect(cluster.up.map(({ raft }) => raft.term)).toEqual([term, term, term]);
    expect(await cluster.converge()).toHaveLength(10);
  });

  test('a restarted server has the configuration that it had', async () => {
    cluster = await TestCluster.start(2);
    await cluster.apply('test');
    const before = cluster.raft('a').getConfiguration();
    await cluster.stop('a');
    await cluster.restart('a');
    expect(cluster.raft('a').getConfiguration()).toEqual(before);
  });

  test('the configuration can be read from the stores of a server that does not run', async () => {
    cluster = await TestCluster.start(3);
    const stores = cluster.server('a');
    await applyLines(cluster, 3);
    await cluster.converge();
    const configuration = cluster.raft('a').getConfiguration();
    await cluster.stop('a');
    expect(await readConfiguration(stores)).toEqual(configuration);
    expect(await readConfiguration({ logStore: new MemoryLogStore(), snapshotStore: stores.snapshotStore })).toBeNull();
    // From a snapshot that has overtaken the log; and it stays as it is.
    await cluster.restart('a');
    await cluster.converge();
    const { index } = await cluster.clock.resolve(cluster.raft('a').snapshot(), 1000);
    await cluster.stop('a');
    const behind = new MemoryLogStore();
    expect(await readConfiguration({ logStore: behind, snapshotStore: stores.snapshotStore })).toEqual(configuration);
    expect([behind.lastIndex, index > 3]).toEqual([0, true]);
  });
});
