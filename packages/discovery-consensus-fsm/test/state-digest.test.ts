import { create } from '@bufbuild/protobuf';
import { DiscoveryStateDigestSchema } from '@discovery-raft/protocol';
import fc from 'fast-check';
import { isOutvoted, toleratedLiars } from '../src/index.js';
import type { DiscoveryMessage, StateDivergence } from '../src/index.js';
import { Cluster, SLOT, START } from './fixtures/cluster.js';
import { VERSION, makePacket } from './fixtures/fake-crypto.js';
import { settle } from './fixtures/virtual-time.js';

const LATER = START + 3600;

async function running(size: number): Promise<Cluster> {
  const cluster = await Cluster.started(size);
  for (let i = 0; i < size; i++) await cluster.publish(i, makePacket({ name: 'a', expiration: LATER }));
  await cluster.time.advance(1);
  return cluster;
}

/** Which nodes have stopped themselves. */
function stopped(cluster: Cluster): number[] {
  return cluster.nodes.flatMap(({ consensus }, i) => (consensus.divergence === null ? [] : [i]));
}

function alarms(cluster: Cluster, code: 'stateDiffers' | 'stateDiverged'): number[] {
  return cluster.nodes.map(({ consensus }) => consensus.counters.alarms[code]);
}

/** Lets a node lie about its state in all that it sends. */
function lieAboutState(cluster: Cluster, liar: number, digestFor: (to: string) => Uint8Array): void {
  cluster.intercept = (from, to, message): DiscoveryMessage => {
    if (from !== cluster.node(liar).id) return message;
    const { event, body } = message;
    if (event === 'discoveryStateDigest') return { event, body: { ...body, digest: digestFor(to) } };
    if (event === 'discoveryConsensusVote') return { event, body: { ...body, stateDigest: digestFor(to) } };
    if (event === 'discoveryRequestConsensusVote') return { event, body: { ...body, stateDigest: digestFor(to) } };
    return message;
  };
}

describe('who is outvoted', () => {
  const claims = fc.integer({ min: 1, max: 12 }).chain((nodes) =>
    fc.record({
      nodes: fc.constant(nodes),
      other: fc.integer({ min: 0, max: nodes - 1 }),
      said: fc.integer({ min: 0, max: nodes - 1 }),
      isOpen: fc.boolean(),
    }),
  );

  test('never by f liars, and never while the silent could still make the larger half', () => {
    fc.assert(
      fc.property(claims, ({ nodes, other, said, isOpen }) => {
        const same = Math.max(0, said - other);
        const outvoted = isOutvoted({ nodes, same, other, isOpen });
        if (other <= toleratedLiars(nodes)) expect(outvoted).toBe(false);
        if (same + 1 > other) expect(outvoted).toBe(false);
        if (isOpen && nodes - other > other) expect(outvoted).toBe(false);
        if (outvoted) expect(isOutvoted({ nodes, same, other, isOpen: false })).toBe(true);
      }),
    );
  });

  test.each([2, 3, 4, 5, 7, 10])('of %i nodes the one that differs from all others', (nodes) => {
    expect(isOutvoted({ nodes, same: 0, other: nodes - 1, isOpen: true })).toBe(true);
    if (nodes > 2) expect(isOutvoted({ nodes, same: nodes - 2, other: 1, isOpen: false })).toBe(false);
  });
});

describe('states that are the same', () => {
  test('are told to everybody once a round, stand in requests and votes, and raise no alarm', async () => {
    const cluster = await running(4);
    await cluster.runRound();
    const digest = cluster.node(0).consensus.lastState!.digest;
    for (const { consensus } of cluster.nodes) expect(consensus.lastState).toMatchObject({ digest });
    expect(cluster.messages('discoveryStateDigest')).toBe(4 * 3);
    for (const { message } of cluster.sent) {
      if (message.event === 'discoveryConsensusVote' || message.event === 'discoveryRequestConsensusVote') {
        expect(message.body.stateDigest).toEqual(digest);
      }
    }
    expect(alarms(cluster, 'stateDiffers')).toEqual([0, 0, 0, 0]);
    // A leader that writes many markers makes nobody tell more.
    for (let i = 0; i < 20; i++) cluster.log.push({ kind: 'freeze', round: START / SLOT + 1 + i });
    cluster.resume(0);
    cluster.resume(1);
    expect(cluster.messages('discoveryStateDigest')).toBe(4 * 3);
  });
});

describe('a replica whose state was changed', () => {
  test.each([
    ['a follower of four', 4, 2],
    ['the leader of four', 4, 0],
    ['a follower of three', 3, 1],
    ['the leader of three', 3, 0],
    ['one of two', 5, 4],
  ])('is found in the next round and stops: %s', async (_name, size, broken) => {
    const cluster = await running(size);
    await cluster.runRound();
    const told: StateDivergence[] = [];
    const { consensus, list, id } = cluster.node(broken);
    consensus.on('stateDiverged', (divergence) => told.push(divergence));
    const before = { size: list.size, directory: cluster.node(broken).store.directory };
    list.corruption = 'a bit';
    await cluster.runRound();

    expect(stopped(cluster)).toEqual([broken]);
    expect(consensus.state).toBe('Nil');
    expect(told).toEqual([consensus.divergence]);
    const { own, others } = consensus.divergence!;
    const right = cluster.nodes.find((node) => node.id !== id)!.consensus.lastState!.digest;
    expect(own).not.toEqual(right);
    expect(others.length).toBeGreaterThanOrEqual(Math.ceil(size / 2));
    for (const { digest } of others) expect(digest).toEqual(right);
    // What it holds is as it was.
    expect({ size: list.size, directory: cluster.node(broken).store.directory }).toEqual(before);
    // Everybody else has raised one alarm, and goes on.
    expect(alarms(cluster, 'stateDiffers').filter((_count, i) => i !== broken)).toEqual(
      Array.from({ length: size - 1 }, () => 1),
    );
    if (broken === 0) await cluster.elect(1);
    await cluster.runRound();
    const witness = broken === size - 1 ? size - 2 : size - 1;
    await expect(cluster.directory(witness)).resolves.toMatchObject({ round: START / SLOT + 3 });
  });

  test('of three nodes of which one is down: nobody can tell who is right, and both stop', async () => {
    const cluster = await running(3);
    await cluster.runRound();
    cluster.crash(2);
    cluster.node(1).list.corruption = 'a bit';
    await cluster.runRound();
    expect(stopped(cluster)).toEqual([0, 1]);
    expect(cluster.node(1).consensus.divergence).toMatchObject({ others: [{ from: cluster.node(0).id }] });
    expect(cluster.node(0).consensus.divergence).toMatchObject({ others: [{ from: cluster.node(1).id }] });
  });

  test('of four nodes, two of them alike: all stop', async () => {
    const cluster = await running(4);
    for (const i of [1, 3]) cluster.node(i).list.corruption = 'a bit';
    await cluster.runRound();
    expect(stopped(cluster)).toEqual([0, 1, 2, 3]);
  });

  test('and that lags is found once it has come to the marker', async () => {
    const cluster = await running(4);
    cluster.node(3).list.corruption = 'a bit';
    cluster.lagging.add(cluster.node(3).id);
    await cluster.runRound();
    expect(stopped(cluster)).toEqual([]);
    cluster.resume(3);
    await settle();
    expect(stopped(cluster)).toEqual([3]);
    expect(cluster.node(3).consensus.counters.alarms).toMatchObject({ stateDiffers: 3, stateDiverged: 1 });
  });
});

describe('a liar', () => {
  test('alone stops nobody, whatever it claims to whom, also in a network of three', async () => {
    for (const size of [3, 4, 7]) {
      for (const liar of [0, 1]) {
        const cluster = await running(size);
        let other = 0;
        lieAboutState(cluster, liar, () => new Uint8Array(32).fill(++other));
        await cluster.runRound();
        await cluster.time.advance(SLOT);
        expect(stopped(cluster)).toEqual([]);
        expect(cluster.node(size - 1).consensus.counters.alarms.stateDiffers).toBeGreaterThan(0);
      }
    }
  });

  test('that leads and names another state gets NO with a reason, and an honest leader goes on', async () => {
    const cluster = await running(4);
    lieAboutState(cluster, 0, () => new Uint8Array(32).fill(9));
    await cluster.runRound();
    expect(cluster.node(0).rounds.at(-1)).toMatchObject({
      published: false,
      reason: expect.stringContaining('no stateDiffers') as string,
    });
    expect(cluster.node(1).store.signed).toBeNull();
    await cluster.elect(1);
    await cluster.runRound();
    await expect(cluster.directory(2)).resolves.toMatchObject({ round: START / SLOT + 2 });
    expect(stopped(cluster)).toEqual([]);
  });

  test('that claims to hold what it does not yet raises one alarm, and its later words count for nothing', async () => {
    const cluster = await running(4);
    const [victim, liar] = [cluster.node(0), cluster.node(3).id];
    const claim = (index: bigint, fill: number, bytes = 32): ReturnType<typeof victim.consensus.onMessage> => {
      const digest = new Uint8Array(bytes).fill(fill);
      const body = create(DiscoveryStateDigestSchema, { version: VERSION, round: 1n, index, digest });
      return victim.consensus.onMessage(liar, { event: 'discoveryStateDigest', body });
    };
    const next = BigInt(cluster.log.length + 1);
    await claim(next, 1);
    await claim(next, 2);
    await cluster.runRound();
    expect(victim.consensus.counters.alarms.stateDiffers).toBe(1);
    expect(stopped(cluster)).toEqual([]);
    await expect(claim(next, 1, 31)).resolves.toMatchObject({ ok: false, code: 'malformed' });
    await expect(claim(0n, 1)).resolves.toMatchObject({ ok: false, code: 'malformed' });
    await expect(
      victim.consensus.onMessage('stranger', {
        event: 'discoveryStateDigest',
        body: create(DiscoveryStateDigestSchema),
      }),
    ).resolves.toMatchObject({ code: 'unknownPeer' });
  });
});
