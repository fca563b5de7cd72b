/** hashicorp/raft's scenarios of servers that come and go, on our API; see docs/raft-coverage.md. */
import type { Configuration } from '../../src/index.js';
import { TestCluster } from '../support/test-cluster.js';
import { addressOf, applyLines, codeOf, followersOf, membersOf, settled } from './acts.js';

describe('members', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.shutdown());

  test('state machines are told of each configuration, in order', async () => {
    cluster = await TestCluster.start(1);
    const told = new Map<string, number[]>();
    const listen = (id: string): void => {
      const sizes: number[] = [];
      told.set(id, sizes);
      Object.assign(cluster.server(id).machine, {
        storeConfiguration: (_: number, { servers }: Configuration) => sizes.push(servers.length),
      });
    };
    const { raft } = await cluster.leader();
    for (const id of ['b', 'c']) {
      await cluster.add(id);
      listen(id);
      await settled(cluster, raft.addVoter(id, addressOf(id)));
    }
    await cluster.converge();
    expect([...new Set(told.get('b'))]).toEqual([1, 2, 3]);
    expect([...new Set(told.get('c'))]).toEqual([1, 2, 3]);
  });

  test('adding who is there already is confirmed by the log and changes nothing', async () => {
    cluster = await TestCluster.start(3);
    const leader = await cluster.leader();
    const [known] = await followersOf(cluster);
    const before = leader.raft.getConfiguration();
    const index = await settled(cluster, leader.raft.addVoter(known!.id, addressOf(known!.id)));
    expect(index).toBeGreaterThan(before.index);
    expect(leader.raft.getConfiguration().configuration).toEqual(before.configuration);
  });

  test('removing who is not there is confirmed by the log and changes nothing', async () => {
    cluster = await TestCluster.start(3);
    const leader = await cluster.leader();
    const before = leader.raft.getConfiguration();
    expect(await settled(cluster, leader.raft.removeServer('nobody'))).toBeGreaterThan(before.index);
    expect(leader.raft.getConfiguration().configuration).toEqual(before.configuration);
  });

  test('half of a cluster cannot remove one of its own', async () => {
    cluster = await TestCluster.start(4);
    const leader = await cluster.leader();
    const [one, two, three] = await followersOf(cluster);
    for (const gone of [one!, two!]) for (const stays of [leader, three!]) cluster.network.cut(gone.id, stays.id);
    expect(await codeOf(cluster, leader.raft.removeServer(three!.id))).not.toBe('resolved');
    cluster.network.heal();
    await cluster.apply('all together');
    await cluster.converge();
  });

  test('a leader that removes itself amid commands and does not shut down takes no more of them', async () => {
    cluster = await TestCluster.start(3, { config: { shutdownOnRemove: false } });
    const old = await cluster.leader();
    await applyLines(cluster, 80);
    await settled(cluster, old.raft.removeServer(old.id));
    expect(await codeOf(cluster, old.raft.apply(Buffer.from('late')))).toBe('RAFT_NOT_LEADER');
    const others = cluster.up.filter(({ id }) => id !== old.id);
    await cluster.clock.advanceUntil(() => others.some(({ raft }) => raft.state === 'leader'), 5000);
    const next = others.find(({ raft }) => raft.state === 'leader')!;
    await cluster.apply('after', next);
    await cluster.clock.advance(5000);
    expect(old.raft.state).toBe('follower');
    expect(membersOf(old)).toBe(membersOf(next));
    expect(membersOf(next)).not.toContain(old.id);
    expect(others.map(({ machine }) => machine.lines.length)).toEqual([81, 81]);
  });

  test('a follower that was removed comes back', async () => {
    cluster = await TestCluster.start(3, { config: { shutdownOnRemove: false } });
    const leader = await cluster.leader();
    const [follower] = await followersOf(cluster);
    await settled(cluster, leader.raft.removeServer(follower!.id));
    expect(membersOf(leader)).not.toContain(follower!.id);
    await cluster.clock.advance(10_000);
    await settled(cluster, (await cluster.leader()).raft.addVoter(follower!.id, addressOf(follower!.id)));
    await cluster.apply('together again');
    await cluster.converge();
    for (const server of cluster.up) expect(membersOf(server)).toBe('a:voter b:voter c:voter');
    expect(follower!.raft.state).toBe('follower');
  });

  test('a cluster regains stability when a removed server comes back with a higher term', async () => {
    cluster = await TestCluster.start(3, { config: { preVote: false, shutdownOnRemove: false } });
    const leader = await cluster.leader();
    const [away] = await followersOf(cluster);
    cluster.network.isolate(away!.id);
    await settled(cluster, leader.raft.removeServer(away!.id));
    // It campaigns in vain, and its term grows.
    await cluster.clock.advanceUntil(() => away!.raft.term > leader.raft.term + 5, 60_000);
    const { term } = away!.raft;
    await settled(cluster, leader.raft.addNonvoter(away!.id, addressOf(away!.id)));
    cluster.network.heal();
    await cluster.clock.advanceUntil(
      () => cluster.up.some(({ raft }) => raft.state === 'leader' && raft.term >= term),
      60_000,
    );
    const next = await cluster.leader();
    expect(next.id).not.toBe(away!.id);
    await applyLines(cluster, 100);
    await cluster.converge();
    await settled(cluster, next.raft.addVoter(away!.id, addressOf(away!.id)));
    await applyLines(cluster, 100, 100);
    expect(await cluster.converge()).toHaveLength(200);
    expect((await cluster.leader()).id).toBe(next.id);
  });
});
