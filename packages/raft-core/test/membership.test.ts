import { continuation, nextConfiguration, peerChanges } from '../src/core/membership-change.js';
import type { Server } from '../src/index.js';
import { TestCluster, type TestServer } from './support/test-cluster.js';

const voter = (id: string): Server => ({ id, address: `address-of-${id}`, suffrage: 'voter' });

describe('nextConfiguration', () => {
  const three = { servers: ['a', 'b', 'c'].map(voter) };

  test('a new voter begins as staging, and is promoted when it has caught up', () => {
    const added = nextConfiguration(three, { kind: 'addVoter', id: 'd', address: 'address-of-d' })!;
    expect(added.servers.at(-1)).toEqual({ ...voter('d'), suffrage: 'staging' });
    expect(continuation(added, () => false)).toBeNull();
    expect(continuation(added, (id) => id === 'd')?.servers.at(-1)).toEqual(voter('d'));
  });

  test('replacing goes through a joint configuration', () => {
    const joint = nextConfiguration(three, { kind: 'replace', servers: ['c', 'd'].map(voter) })!;
    expect(joint).toEqual({ servers: ['c', 'd'].map(voter), outgoing: three.servers });
    expect(continuation(joint, () => false)).toEqual({ servers: joint.servers });
  });

  test('the last voter cannot go', () => {
    const one = { servers: [voter('a')] };
    expect(() => nextConfiguration(one, { kind: 'removeServer', id: 'a' })).toThrow('RAFT_INVALID_CONFIGURATION');
    expect(() => nextConfiguration(one, { kind: 'demoteVoter', id: 'a' })).toThrow('RAFT_INVALID_CONFIGURATION');
  });

  test('an address belongs to one server', () => {
    expect(() => nextConfiguration(three, { kind: 'addVoter', id: 'd', address: 'address-of-a' })).toThrow(
      'RAFT_INVALID_CONFIGURATION',
    );
  });

  test('says who joined, changed and left', () => {
    const next = nextConfiguration(three, { kind: 'demoteVoter', id: 'b' })!;
    expect(peerChanges(three, next)).toEqual([{ peer: { ...voter('b'), suffrage: 'nonvoter' }, removed: false }]);
    expect(peerChanges(three, { servers: [voter('a'), voter('b')] })).toEqual([{ peer: voter('c'), removed: true }]);
  });
});

describe('a cluster changes its members', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.shutdown());

  const resolve = <T>(promise: Promise<T>): Promise<T> => cluster.clock.resolve(promise, 20_000);
  const suffrages = (server: TestServer): string =>
    server.raft
      .getConfiguration()
      .configuration.servers.map(({ id, suffrage }) => `${id}:${suffrage}`)
      .join(' ');

  test('a server that joins catches up, gets its vote, and counts', async () => {
    cluster = await TestCluster.start(3);
    for (let i = 0; i < 50; i++) await cluster.apply(`line ${i}`);
    await cluster.add('d');
    const leader = await cluster.leader();
    await resolve(leader.raft.addVoter('d', 'address-of-d'));
    expect(suffrages(leader)).toBe('a:voter b:voter c:voter d:voter');
    expect(await cluster.converge()).toHaveLength(50);
    await cluster.stop(leader.id);
    await cluster.apply('without the old leader', await cluster.leader());
    expect(await cluster.converge()).toHaveLength(51);
  });

  test('a server that cannot be reached does not get a vote, and holds nobody up', async () => {
    cluster = await TestCluster.start(3);
    const leader = await cluster.leader();
    const added = leader.raft.addVoter('d', 'address-of-d', { timeoutMs: 3000 });
    await expect(resolve(added)).rejects.toMatchObject({ code: 'RAFT_TIMEOUT' });
    expect(suffrages(leader)).toContain('d:staging');
    await cluster.apply('still works');
    await resolve(leader.raft.removeServer('d'));
    expect(suffrages(leader)).toBe('a:voter b:voter c:voter');
  });

  test('who waits for the vote of a server that is taken back hears of it', async () => {
    cluster = await TestCluster.start(3);
    const leader = await cluster.leader();
    const added = leader.raft.addVoter('d', 'address-of-d');
    const demoted = leader.raft.addVoter('e', 'address-of-e');
    for (const promise of [added, demoted]) promise.catch(() => undefined);
    await resolve(leader.raft.removeServer('d'));
    await expect(resolve(added)).rejects.toMatchObject({
      code: 'RAFT_CONFIGURATION_CHANGED',
      details: { outcome: 'lost' },
    });
    await resolve(leader.raft.demoteVoter('e'));
    await expect(resolve(demoted)).rejects.toMatchObject({ code: 'RAFT_CONFIGURATION_CHANGED' });
  });

  test('what a program without types may ask for is refused, and harms nobody', async () => {
    cluster = await TestCluster.start(3);
    const { raft } = await cluster.leader();
    const invalid = { code: 'RAFT_INVALID_CONFIGURATION' };
    const anything = raft as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    const calls = [
      anything['changeMembership']!(),
      anything['changeMembership']!([{ id: 'a', address: 'address-of-a', suffrage: 'Voter' }]),
      anything['addVoter']!('d'),
      anything['addNonvoter']!(4, 'address-of-d'),
    ];
    for (const call of calls) await expect(cluster.clock.resolve(call, 1000)).rejects.toMatchObject(invalid);
    expect((await cluster.apply('y')).index).toBe(raft.lastIndex);
  });

  test('a nonvoter receives the log and does not count', async () => {
    cluster = await TestCluster.start(1);
    const leader = await cluster.leader();
    await cluster.add('b');
    await resolve(leader.raft.addNonvoter('b', 'address-of-b'));
    await cluster.apply('one', leader);
    expect(await cluster.converge()).toEqual(['one']);
    await cluster.stop('b');
    await cluster.apply('two', leader);
  });

  test('a removed follower hears of it and stops; the others go on', async () => {
    cluster = await TestCluster.start(3);
    const leader = await cluster.leader();
    const gone = cluster.up.find(({ id }) => id !== leader.id)!;
    await resolve(leader.raft.removeServer(gone.id));
    await cluster.clock.advanceUntil(() => gone.raft.state === 'shutdown', 5000);
    await cluster.apply('two are a cluster too', leader);
  });

  test('a leader that removes itself is followed by another at once', async () => {
    cluster = await TestCluster.start(3);
    const old = await cluster.leader();
    await resolve(old.raft.removeServer(old.id));
    old.up = false;
    const took = await cluster.clock.advanceUntil(
      () => cluster.up.some(({ id, raft }) => id !== old.id && raft.state === 'leader'),
      5000,
    );
    expect(took).toBeLessThan(900);
    await cluster.clock.advanceUntil(() => old.raft.state === 'shutdown', 5000);
  });

  test('a demoted voter does not campaign', async () => {
    cluster = await TestCluster.start(3);
    const leader = await cluster.leader();
    const demoted = cluster.up.find(({ id }) => id !== leader.id)!;
    await resolve(leader.raft.demoteVoter(demoted.id));
    await cluster.converge();
    cluster.network.isolate(demoted.id);
    await cluster.clock.advance(10_000);
    expect(demoted.raft.state).toBe('follower');
  });

  test('all members are replaced at once, through a joint configuration', async () => {
    cluster = await TestCluster.start(3);
    const old = await cluster.leader();
    for (const id of ['d', 'e', 'f']) await cluster.add(id);
    await cluster.apply('before', old);
    await resolve(old.raft.changeMembership(['d', 'e', 'f'].map(voter)));
    for (const id of ['a', 'b', 'c']) cluster.server(id).up = false;
    await cluster.clock.advanceUntil(() => cluster.up.some(({ raft }) => raft.state === 'leader'), 10_000);
    const leader = cluster.up.find(({ raft }) => raft.state === 'leader')!;
    await cluster.apply('after', leader);
    expect(await cluster.converge()).toEqual(['before', 'after']);
    expect(suffrages(leader)).toBe('d:voter e:voter f:voter');
  });

  test('a change on an older configuration than the caller thinks is refused', async () => {
    cluster = await TestCluster.start(3);
    const leader = await cluster.leader();
    const { index } = leader.raft.getConfiguration();
    await resolve(leader.raft.addNonvoter('d', 'address-of-d', { prevIndex: index }));
    await expect(resolve(leader.raft.removeServer('b', { prevIndex: index }))).rejects.toMatchObject({
      code: 'RAFT_CONFIGURATION_CHANGED',
    });
  });

  test('changes that are asked for together are made one after the other; a follower takes none', async () => {
    cluster = await TestCluster.start(5);
    const leader = await cluster.leader();
    const [first, second] = cluster.up.filter(({ id }) => id !== leader.id);
    const [one, two] = await resolve(
      Promise.all([leader.raft.removeServer(first!.id), leader.raft.demoteVoter(second!.id)]),
    );
    expect(two).toBeGreaterThan(one);
    expect(suffrages(leader).split(' ')).toHaveLength(4);
    await expect(second!.raft.removeServer(leader.id)).rejects.toMatchObject({ code: 'RAFT_NOT_LEADER' });
  });

  test('a new leader changes nothing before an entry of its term is committed', async () => {
    cluster = await TestCluster.start(3);
    const old = await cluster.leader();
    await cluster.apply('x');
    await cluster.stop(old.id);
    const changes: Promise<number>[] = [];
    const before: number[] = [];
    for (const { raft } of cluster.up) {
      raft.on('stateChange', ({ to }) => {
        if (to !== 'leader') return;
        changes.push(raft.removeServer(old.id));
        raft.on('commit', ({ index }) => before.push(index));
      });
    }
    const leader = await cluster.leader();
    const index = await resolve(changes[0]!);
    expect(before[0]).toBeLessThan(index);
    expect(leader.logStore.read(index - 1, index - 1, 1)[0]).toMatchObject({ type: 1, term: leader.raft.term });
  });

  test('a configuration that is truncated counts no more', async () => {
    cluster = await TestCluster.start(3);
    const old = await cluster.leader();
    await cluster.apply('before');
    cluster.network.isolate(old.id);
    const lost = old.raft.removeServer(cluster.up.find(({ id }) => id !== old.id)!.id).catch(() => undefined);
    await cluster.clock.advance(100);
    expect(suffrages(old).split(' ')).toHaveLength(2);
    await cluster.clock.advance(5000);
    await cluster.apply('elsewhere');
    cluster.network.heal();
    await cluster.converge();
    await lost;
    expect(suffrages(old).split(' ')).toHaveLength(3);
  });

  test('a removed server that did not hear of it disturbs nobody', async () => {
    cluster = await TestCluster.start(4);
    const leader = await cluster.leader();
    const gone = cluster.up.find(({ id }) => id !== leader.id)!;
    cluster.network.isolate(gone.id);
    await resolve(leader.raft.removeServer(gone.id));
    const { term } = leader.raft;
    cluster.network.heal();
    await cluster.clock.advance(20_000);
    expect(leader.raft.state).toBe('leader');
    expect(leader.raft.term).toBe(term);
  });

  test('survives a restart, and a snapshot carries the configuration of its index', async () => {
    cluster = await TestCluster.start(3, { config: { trailingLogs: 1 } });
    const leader = await cluster.leader();
    const other = cluster.up.find(({ id }) => id !== leader.id)!;
    await resolve(leader.raft.demoteVoter(other.id));
    await cluster.apply('x');
    const meta = await leader.raft.snapshot();
    expect(meta.configuration.servers.find(({ id }) => id === other.id)?.suffrage).toBe('nonvoter');
    await cluster.stop(leader.id);
    await cluster.restart(leader.id);
    expect(suffrages(cluster.server(leader.id))).toContain(`${other.id}:nonvoter`);
  });
});
