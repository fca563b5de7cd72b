import { create } from '@bufbuild/protobuf';
import { DiscoveryConsensusVoteSchema, DiscoveryRequestConsensusVoteSchema } from '@discovery-raft/protocol';
import { Cluster, START } from './fixtures/cluster.js';
import { makePacket } from './fixtures/fake-crypto.js';

const LATER = START + 3600;

/*
 * A peer of the deployed implementation in the cluster: it knows only the fields of the documented messages, and signs the
 * list as it finds it when the request comes.
 */

/** Makes a node deaf and dumb for every extension. */
function makePlain(cluster: Cluster, i: number): void {
  const plain = cluster.node(i).id;
  cluster.intercept = (from, to, message) => {
    if (to === plain && message.event === 'discoveryRequestConsensusVote') {
      const { version, creation, expiration } = message.body;
      const body = create(DiscoveryRequestConsensusVoteSchema, { version, creation, expiration });
      return { event: message.event, body };
    }
    if (from === plain && message.event === 'discoveryConsensusVote') {
      const { version, signature } = message.body;
      const body = create(DiscoveryConsensusVoteSchema, { version, ...(signature === undefined ? {} : { signature }) });
      return { event: message.event, body };
    }
    return message;
  };
}

/** Publishes an item to every node, again and again, until it is told to stop. */
function keepPublishing(cluster: Cluster): { readonly names: string[]; stop(): void } {
  const names: string[] = [];
  let cancel = (): void => undefined;
  const publish = (): void => {
    const name = `busy${cluster.time.now}`;
    names.push(name);
    for (const i of cluster.nodes.keys()) void cluster.publish(i, makePacket({ name, expiration: LATER }));
    cancel = cluster.time.setTimerAt(cluster.time.now + 0.02, publish);
  };
  publish();
  return { names, stop: () => cancel() };
}

async function busyCluster(): Promise<Cluster> {
  const cluster = await Cluster.started(4, { policy: 'documented', entryShare: 0.01 });
  for (const i of cluster.nodes.keys()) await cluster.publish(i, makePacket({ name: 'a', expiration: LATER }));
  await cluster.time.advance(1);
  return cluster;
}

/** Publishes all the time while a round is held. */
async function busyRound(cluster: Cluster): Promise<readonly string[]> {
  await cluster.toNextSlot();
  const busy = keepPublishing(cluster);
  const before = cluster.node(0).rounds.length;
  expect(await cluster.time.advanceUntil(() => cluster.node(0).rounds.length > before, 20)).toBe(true);
  busy.stop();
  await cluster.time.advance(20);
  return busy.names;
}

test('the list stands still for a peer without extensions once it is known to be one, and nothing is lost', async () => {
  const cluster = await busyCluster();
  makePlain(cluster, 3);
  const first = await busyRound(cluster);
  // Nobody has heard of it yet: what it signed had moved on, and the others are enough.
  expect(cluster.holds).toBe(0);
  expect(cluster.node(0).rounds.at(-1)).toMatchObject({ published: true, signatures: 3 });
  const second = await busyRound(cluster);
  expect(cluster.holds).toBe(1);
  expect(cluster.node(0).rounds.at(-1)).toMatchObject({ published: true, signatures: 4 });
  // What was published while the list stood still is in it afterwards, on every node.
  for (const { list } of cluster.nodes) expect(list.size).toBe(1 + first.length + second.length);
});

test('the list is released when a peer without extensions says nothing any more, at the end of the round', async () => {
  const cluster = await busyCluster();
  makePlain(cluster, 3);
  await cluster.runRound();
  cluster.crash(3);
  const names = await busyRound(cluster);
  expect(cluster.holds).toBe(1);
  expect(cluster.node(0).rounds.at(-1)).toMatchObject({ published: true, signatures: 3 });
  expect(cluster.node(1).list.size).toBe(1 + names.length);
});

test('a leader change releases it', async () => {
  const cluster = await busyCluster();
  makePlain(cluster, 3);
  await cluster.runRound();
  await cluster.toNextSlot();
  await cluster.time.advanceUntil(() => cluster.holds === 1, 1);
  await cluster.publish(0, makePacket({ name: 'late', expiration: LATER }));
  await cluster.elect(1);
  await cluster.time.advance(20);
  expect(cluster.node(2).list.size).toBe(2);
});

test('a peer that votes with extensions again is waited for no more', async () => {
  const cluster = await busyCluster();
  makePlain(cluster, 3);
  await cluster.runRound();
  cluster.intercept = (_from, _to, message) => message;
  await cluster.runRound();
  expect(cluster.holds).toBe(1);
  await cluster.runRound();
  expect(cluster.holds).toBe(1);
  expect(cluster.node(0).rounds.at(-1)).toMatchObject({ published: true, signatures: 4 });
});
