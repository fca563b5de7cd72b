import { Cluster, SLOT, START } from './fixtures/cluster.js';
import { makePacket } from './fixtures/fake-crypto.js';

const LATER = START + 3600;

/*
 * Votes that come out even. Whatever splits them, no half may have a directory, the leader must know why and not wait for
 * more, and the next slot must not feel it.
 */

async function clusterOf(size: number): Promise<Cluster> {
  const cluster = await Cluster.started(size);
  for (let i = 0; i < size; i++) await cluster.publish(i, makePacket({ name: 'a', expiration: LATER }));
  await cluster.time.advance(1);
  return cluster;
}

async function expectNextSlot(cluster: Cluster): Promise<void> {
  cluster.intercept = (_from, _to, message) => message;
  await cluster.runRound();
  const round = START / SLOT + 2;
  for (const i of cluster.nodes.keys()) expect(await cluster.directory(i)).toMatchObject({ round, items: 1 });
}

test.each([4, 6, 8])(
  'half of %i nodes are shown another listing: neither has a quorum, the next slot works',
  async (size) => {
    const cluster = await clusterOf(size);
    const half = new Set(cluster.nodes.slice(size / 2).map(({ id }) => id));
    cluster.intercept = (_from, to, message) =>
      message.event === 'discoveryRequestConsensusVote' && half.has(to)
        ? { event: message.event, body: { ...message.body, listDigest: new Uint8Array(32).fill(7) } }
        : message;
    await cluster.toNextSlot();
    expect(await cluster.time.advanceUntil(() => cluster.node(0).rounds.length === 1, 1)).toBe(true);
    const { published, reason } = cluster.node(0).rounds[0]!;
    expect(published).toBe(false);
    // One NO more than a quorum can bear, and the leader waits for no other.
    const { quorum } = cluster.node(0).consensus;
    expect(reason.match(/digestMismatch/g)).toHaveLength(size - quorum + 1);
    for (const { store } of cluster.nodes) expect(store.directory).toBeNull();
    // Who signed keeps the promise; who was shown another listing has signed none of it.
    expect(cluster.nodes.map(({ store }) => store.signed === null)).toEqual(cluster.nodes.map((_, i) => i >= size / 2));
    await cluster.time.advance(30);
    await expectNextSlot(cluster);
  },
);

test('half of 4 nodes hear nothing: the leader waits until its deadline, and the next slot works', async () => {
  const cluster = await clusterOf(4);
  const deaf = new Set([cluster.node(2).id, cluster.node(3).id]);
  cluster.intercept = (_from, to, message) => (deaf.has(to) ? undefined : message);
  await cluster.runRound();
  expect(cluster.node(0).rounds).toMatchObject([{ published: false }]);
  for (const { store } of cluster.nodes) expect(store.directory).toBeNull();
  await expectNextSlot(cluster);
});

test('a publisher that gives nodes different packets of one expiration splits nobody: the one in the list counts', async () => {
  const cluster = await Cluster.started(5);
  for (let i = 0; i < 5; i++) await cluster.publish(i, makePacket({ name: 'a', expiration: LATER }));
  const told: string[] = [];
  for (const [address, nodes] of [
    ['203.0.113.1:1', [0]],
    ['203.0.113.2:1', [1, 2]],
    ['203.0.113.3:1', [3, 4]],
  ] as const) {
    const packet = makePacket({ name: 'b', expiration: LATER, change: { address: [address] } });
    for (const i of nodes) told.push((await cluster.publish(i, packet)).code);
  }
  expect(told).toEqual(Array(5).fill('accepted'));
  await cluster.time.advance(20);
  await cluster.runRound();
  await cluster.runRound();
  for (const { consensus } of cluster.nodes) {
    expect(consensus.counters.alarms.entriesOmitted).toBe(0);
    expect(consensus.counters.pendingForwards).toBe(0);
  }
  await expect(cluster.directory(4)).resolves.toMatchObject({ round: START / SLOT + 2, items: 2 });
});
