import { Cluster, SLOT, START } from './fixtures/cluster.js';
import { makePacket } from './fixtures/fake-crypto.js';

const LATER = START + 3600;
const NAMES = ['a', 'b', 'c', 'd'];

/** Holds a node up at one of its pauses, counted from the moment at which the round's freeze marker is in the log. */
class Hold {
  reached = false;
  release: () => void = () => undefined;

  constructor(cluster: Cluster, node: number, at: number) {
    const held = cluster.node(node).id;
    const gate = new Promise<void>((resolve) => {
      this.release = resolve;
    });
    let pauses = 0;
    cluster.pause = (id) => {
      const frozen = cluster.log.some(({ kind }) => kind === 'freeze');
      if (id !== held || !frozen || pauses++ !== at) return Promise.resolve();
      this.reached = true;
      return gate;
    };
  }
}

async function heldUp(node: number, at: number): Promise<{ cluster: Cluster; hold: Hold }> {
  const cluster = await Cluster.started(4, { recordsPerSlice: 1 });
  for (const name of NAMES) {
    for (let i = 0; i < 4; i++) await cluster.publish(i, makePacket({ name, expiration: LATER }));
  }
  await cluster.toNextSlot();
  const hold = new Hold(cluster, node, at);
  await cluster.time.advance(1);
  return { cluster, hold };
}

/** Pauses of one node from the freeze marker to its signature. */
async function pausesBeforeSigning(node: number): Promise<number> {
  for (let at = 0; ; at++) {
    const { cluster, hold } = await heldUp(node, at);
    if (!hold.reached || cluster.node(node).store.signed !== null) return at;
    hold.release();
  }
}

async function nextSlotWorks(cluster: Cluster): Promise<void> {
  cluster.pause = () => Promise.resolve();
  await cluster.time.advance(SLOT);
  await cluster.runRound();
  for (const node of cluster.nodes.filter(({ alive }) => alive)) {
    expect(node.rounds.at(-1)).toMatchObject({ published: true, items: NAMES.length });
    expect(node.consensus.counters.alarms.internal).toBe(0);
  }
}

describe('a round that is interrupted between two slices of its work', () => {
  test('has many such places, at the leader and at a voter', async () => {
    // Judging and building look at each record, and a voter's own share at what is listed besides.
    expect(await pausesBeforeSigning(0)).toBeGreaterThan(2 * NAMES.length);
    expect(await pausesBeforeSigning(1)).toBeGreaterThan(3 * NAMES.length);
  });

  test('by another leader: the old one asks for nothing and signs nothing, wherever it stood', async () => {
    const places = await pausesBeforeSigning(0);
    for (let at = 0; at < places; at++) {
      const { cluster, hold } = await heldUp(0, at);
      expect(hold.reached).toBe(true);
      await cluster.elect(1);
      hold.release();
      await cluster.time.advance(5);
      expect(cluster.messages('discoveryRequestConsensusVote')).toBe(0);
      expect(cluster.nodes.map(({ store }) => store.signed)).toEqual([null, null, null, null]);
      expect(cluster.node(0).rounds).toEqual([expect.objectContaining({ published: false, reason: 'dropped' })]);
      expect(cluster.node(0).consensus.state).toBe('FollowerRunning');
      await nextSlotWorks(cluster);
    }
  });

  test('by a shutdown: the node says and writes nothing any more, and the others go on', async () => {
    const places = await pausesBeforeSigning(1);
    for (let at = 0; at < places; at++) {
      const { cluster, hold } = await heldUp(1, at);
      expect(hold.reached).toBe(true);
      cluster.crash(1);
      // A voter that is late may have the result before its own word is ready.
      const { directory } = cluster.node(1).store;
      const sent = cluster.sent.filter(({ from }) => from === cluster.node(1).id).length;
      hold.release();
      await cluster.time.advance(5);
      expect(cluster.sent.filter(({ from }) => from === cluster.node(1).id)).toHaveLength(sent);
      expect(cluster.node(1).store).toMatchObject({ signed: null, directory });
      expect(cluster.node(0).rounds).toEqual([expect.objectContaining({ published: true, signatures: 3 })]);
      await cluster.restart(1);
      await nextSlotWorks(cluster);
    }
  });

  test('for so long that the deadline passes: the others have their directory, and this node gets it from them', async () => {
    const { cluster, hold } = await heldUp(2, 3);
    expect(hold.reached).toBe(true);
    await cluster.time.advance(25);
    expect(cluster.node(2).rounds).toEqual([expect.objectContaining({ published: false })]);
    hold.release();
    await cluster.time.advance(5);
    expect(cluster.node(2).store.signed).toBeNull();
    await expect(cluster.directory(2)).resolves.toMatchObject({ items: NAMES.length, round: START / SLOT + 1 });
    await nextSlotWorks(cluster);
  });
});
