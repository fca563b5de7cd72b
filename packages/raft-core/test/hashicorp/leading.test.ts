/** hashicorp/raft's scenarios of leading, verifying and handing over, on our API; see docs/raft-coverage.md. */
import { Raft, MemoryLogStore, MemorySnapshotStore, MemoryStableStore } from '../../src/index.js';
import { CoreDriver, type Send } from '../support/core-driver.js';
import { TestCluster, TextMachine, type TestServer } from '../support/test-cluster.js';
import { addressOf, applyLines, codeOf, followersOf, settled } from './acts.js';

describe('leading', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.shutdown());

  test('a leader that loses its only follower steps down within its lease, and neither knows a leader', async () => {
    cluster = await TestCluster.start(2);
    const leader = await cluster.leader();
    const [follower] = await followersOf(cluster);
    cluster.network.isolate(follower!.id);
    const tookMs = await cluster.clock.advanceUntil(() => leader.raft.state !== 'leader', 5000);
    expect(tookMs).toBeLessThanOrEqual(2 * 500);
    await cluster.clock.advance(5000);
    expect(cluster.up.filter(({ raft }) => raft.state === 'leader')).toEqual([]);
    expect(cluster.up.map(({ raft }) => raft.leader)).toEqual([null, null]);
    expect(follower!.raft.lastContactMs).toBeGreaterThanOrEqual(5000);
  });

  test('a leader verifies that it leads: alone, with all, and with one of two followers gone', async () => {
    cluster = await TestCluster.start(1);
    await settled(cluster, (await cluster.leader()).raft.verifyLeader());
    await cluster.shutdown();
    cluster = await TestCluster.start(3);
    const leader = await cluster.leader();
    await settled(cluster, leader.raft.verifyLeader());
    const [gone] = await followersOf(cluster);
    cluster.network.isolate(gone!.id);
    await settled(cluster, leader.raft.verifyLeader());
  });

  test('a leader that meets a higher term cannot verify that it leads', async () => {
    cluster = await TestCluster.start(2, { config: { preVote: false, checkQuorum: false } });
    const leader = await cluster.leader();
    const [follower] = await followersOf(cluster);
    // The follower's campaigns reach nobody, and its term grows.
    cluster.network.cut(leader.id, follower!.id);
    await cluster.clock.advanceUntil(() => follower!.raft.term > leader.raft.term, 20_000);
    expect(leader.raft.state).toBe('leader');
    const verified = codeOf(cluster, leader.raft.verifyLeader());
    cluster.network.heal();
    expect(await verified).toBe('RAFT_LEADERSHIP_LOST');
    expect(leader.raft.leader?.id).not.toBe(leader.id);
  });

  test('a barrier resolves when all before it is applied', async () => {
    cluster = await TestCluster.start(3);
    const leader = await cluster.leader();
    for (let i = 0; i < 100; i++) void leader.raft.apply(Buffer.from(`line ${i}`));
    await settled(cluster, leader.raft.barrier());
    expect(leader.machine.lines).toHaveLength(100);
    expect(await cluster.converge()).toHaveLength(100);
  });

  test.each([
    [2, 3],
    [3, 2],
    [1, 2],
    [2, 1],
    [3, 0],
    [0, 3],
  ])('%i servers with pre-vote and %i without elect another leader when theirs is cut off', async (asking, others) => {
    cluster = await startMixed(asking, others);
    const old = await cluster.leader();
    cluster.network.isolate(old.id);
    const isNew = ({ id, raft }: TestServer): boolean => id !== old.id && raft.state === 'leader';
    await cluster.clock.advanceUntil(() => cluster.up.some(isNew), 30_000);
    await cluster.apply('after', cluster.up.find(isNew));
    cluster.network.heal();
    expect(await cluster.converge()).toEqual(['after']);
  });
});

describe('handing over', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.shutdown());

  test('without a target the leadership goes to another', async () => {
    cluster = await TestCluster.start(3);
    const old = await cluster.leader();
    await settled(cluster, old.raft.leadershipTransfer());
    expect((await cluster.leader()).id).not.toBe(old.id);
  });

  test('the target is one of seven', async () => {
    cluster = await TestCluster.start(7);
    const old = await cluster.leader();
    const target = (await followersOf(cluster)).at(-1)!;
    await settled(cluster, old.raft.leadershipTransfer(target.id));
    expect((await cluster.leader()).id).toBe(target.id);
  });

  test('the target is a thousand entries behind', async () => {
    cluster = await TestCluster.start(3);
    const old = await cluster.leader();
    const [target] = await followersOf(cluster);
    cluster.network.cut(old.id, target!.id);
    await applyLines(cluster, 1000);
    cluster.network.heal();
    await settled(cluster, old.raft.leadershipTransfer(target!.id));
    expect((await cluster.leader()).id).toBe(target!.id);
    expect(await cluster.converge()).toHaveLength(1000);
  });

  test('nonvoters are passed over, and with nobody else it fails', async () => {
    cluster = await TestCluster.start(2);
    const leader = await cluster.leader();
    const [follower] = await followersOf(cluster);
    await settled(cluster, leader.raft.demoteVoter(follower!.id));
    expect(await codeOf(cluster, leader.raft.leadershipTransfer())).toBe('RAFT_TRANSFER_FAILED');
    expect(await codeOf(cluster, leader.raft.leadershipTransfer(follower!.id))).toBe('RAFT_TRANSFER_FAILED');
    expect(leader.raft.state).toBe('leader');
  });

  test('while it runs, every call that would change the log is refused', async () => {
    cluster = await TestCluster.start(3);
    const { raft, id } = await cluster.leader();
    const [target] = await followersOf(cluster);
    cluster.network.cut(id, target!.id);
    await cluster.apply('it is behind now');
    const transfer = codeOf(cluster, raft.leadershipTransfer(target!.id));
    const calls = [
      raft.apply(Buffer.from('x')),
      raft.applyBatch([Buffer.from('x')]),
      raft.barrier(),
      raft.addVoter('d', addressOf('d')),
      raft.addNonvoter('d', addressOf('d')),
      raft.demoteVoter(target!.id),
      raft.removeServer(target!.id),
      raft.leadershipTransfer(),
    ];
    const codes = Promise.allSettled(calls).then((results) =>
      results.map((result) => (result.status === 'rejected' ? (result.reason as { code: string }).code : 'resolved')),
    );
    expect(await transfer).toBe('RAFT_TRANSFER_FAILED');
    expect(new Set(await settled(cluster, codes))).toEqual(new Set(['RAFT_TRANSFER_IN_PROGRESS']));
  });
});

describe('handing over to whom', () => {
  test.each([
    [{ b: 0, c: 0, d: 0 }, 'b'],
    [{ b: 0, c: 1, d: 0 }, 'c'],
    [{ b: 0, c: 1, d: 2 }, 'd'],
    [{ b: 1, c: 0, d: 1 }, 'b'],
  ])('of peers that have stored %j entries the furthest is picked: %s', (stored, expected) => {
    const node = new CoreDriver({ voters: ['a', 'b', 'c', 'd', 'e', 'f', 'g'] });
    node.becomeLeader();
    for (const send of node.sent('appendEntries')) node.answer(send);
    node.propose('two');
    node.propose('three');
    const underWay = (peer: string): Send[] => node.sent('appendEntries', peer).slice(1);
    for (const [peer, count] of Object.entries(stored)) {
      for (const send of underWay(peer).slice(0, count)) node.answer(send);
    }
    node.step({ type: 'transfer', id: 1, target: null });
    // Whoever is picked is told as soon as it has everything.
    for (const peer of ['b', 'c', 'd']) for (const send of underWay(peer)) node.answer(send);
    expect(node.sent('timeoutNow').map(({ to }) => to.id)).toEqual([expected]);
  });
});

/** A cluster of which the first servers ask for pre-votes and the others do not. */
async function startMixed(asking: number, others: number): Promise<TestCluster> {
  const cluster = await TestCluster.start(0);
  const ids = Array.from({ length: asking + others }, (_, i) => String.fromCharCode(97 + i));
  const servers = ids.map((id) => ({ id, address: addressOf(id), suffrage: 'voter' as const }));
  for (const [i, id] of ids.entries()) {
    const stores = {
      logStore: new MemoryLogStore(),
      stableStore: new MemoryStableStore(),
      snapshotStore: new MemorySnapshotStore(),
    };
    const machine = new TextMachine();
    const raft = await Raft.create<number>({
      id,
      address: addressOf(id),
      transport: cluster.network.transport(id),
      ...stores,
      stateMachine: machine,
      clock: cluster.clock,
      random: cluster.random,
      config: { preVote: i < asking },
    });
    cluster.servers.set(id, { id, ...stores, machine, raft, up: true });
    await raft.bootstrap({ servers });
  }
  return cluster;
}
