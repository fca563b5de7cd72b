import { fromBinary } from '@bufbuild/protobuf';
import { DiscoveryItemSchema, DiscoveryListingSchema } from '@discovery-raft/protocol';
import type { StoredDirectory } from '../src/index.js';
import { Cluster, SLOT, START, type ClusterNode } from './fixtures/cluster.js';
import { identityOf, makePacket } from './fixtures/fake-crypto.js';

function listed(directory: StoredDirectory | null): string[] {
  if (directory === null) return [];
  return fromBinary(DiscoveryListingSchema, directory.directory.directory).items.map(
    (item) => fromBinary(DiscoveryItemSchema, item).identity,
  );
}

const LATER = START + 3600;

describe('a whole round', () => {
  test.each([3, 4, 7])('%i nodes publish the same directory, signed by all', async (size) => {
    const cluster = await Cluster.started(size);
    for (const name of ['b', 'a', 'c']) {
      for (let i = 0; i < size; i++) {
        await expect(cluster.publish(i, makePacket({ name, expiration: LATER }))).resolves.toMatchObject({
          code: 'accepted',
        });
      }
    }
    await cluster.runRound();
    const first = await cluster.directory(0);
    expect(listed(first)).toEqual(['a', 'b', 'c'].map((name) => identityOf(name)));
    for (let i = 0; i < size; i++) {
      const directory = await cluster.directory(i);
      expect(directory?.directory.directory).toEqual(first?.directory.directory);
      expect(directory?.directory.signatures).toHaveLength(size);
      expect(cluster.node(i).store.directory?.round).toBe(first?.round);
      expect(cluster.node(i).rounds).toEqual([expect.objectContaining({ published: true, items: 3 })]);
    }
    expect(cluster.node(0).consensus.state).toBe('LeaderRunning');
    expect(cluster.node(1).consensus.state).toBe('FollowerRunning');
  });

  test('a publisher that reaches one node is listed by all', async () => {
    const cluster = await Cluster.started(4);
    await cluster.publish(2, makePacket({ name: 'x', expiration: LATER }));
    await cluster.runRound();
    expect(listed(await cluster.directory(1))).toEqual([identityOf('x')]);
    expect(cluster.messages('discoveryRequestAttestation')).toBeGreaterThan(0);
  });

  test('rounds follow each other, and a refresh keeps its node listed', async () => {
    const cluster = await Cluster.started(3);
    for (let i = 0; i < 3; i++) await cluster.publish(i, makePacket({ name: 'x', expiration: START + 200 }));
    await cluster.runRound();
    for (let i = 0; i < 3; i++) await cluster.publish(i, makePacket({ name: 'x', expiration: LATER }));
    await cluster.runRound();
    await cluster.runRound();
    const directory = await cluster.directory(1);
    expect(directory?.round).toBe(START / 60 + 3);
    expect(listed(directory)).toEqual([identityOf('x')]);
  });

  test('a publish with a request id is answered when it is in the shared list', async () => {
    const cluster = await Cluster.started(3);
    const answer = cluster.publish(1, makePacket({ name: 'x', expiration: LATER }), 7n);
    let code: string | undefined;
    void answer.then((outcome) => (code = outcome.code));
    await cluster.time.advanceUntil(() => code !== undefined, 5);
    expect(code).toBe('accepted');
    expect(cluster.log.some((operation) => operation.kind === 'upsert')).toBe(true);
    expect(
      cluster
        .node(1)
        .list.get(identityOf('x'))[0]
        ?.attestations.map(({ attester }) => attester),
    ).toContain(cluster.node(1).id);
  });
});

describe('a leader that cannot sign', () => {
  const breaks: readonly [string, (leader: ClusterNode) => void][] = [
    ['its key is gone', ({ signer }) => (signer.failing = true)],
    ['its disk is full', ({ store }) => (store.failing = true)],
    ['its clock was ahead', ({ store }) => (store.signed = { round: START, digest: new Uint8Array(32) })],
  ];

  test.each(breaks)('as %s keeps nobody else from it', async (_, breakIt) => {
    const cluster = await Cluster.started(4);
    for (let i = 0; i < 4; i++) await cluster.publish(i, makePacket({ name: 'a', expiration: LATER }));
    await cluster.time.advance(1);
    breakIt(cluster.node(0));
    await cluster.restart(0);
    breakIt(cluster.node(0));
    await cluster.runRound();
    for (const i of [0, 1, 2, 3]) {
      const directory = await cluster.directory(i);
      expect(directory).toMatchObject({ round: START / SLOT + 1, items: 1 });
      expect(directory!.directory.signatures).toHaveLength(3);
    }
  });
});

describe('a directory and the disk', () => {
  async function holding(): Promise<{ cluster: Cluster; release: () => void }> {
    const cluster = await Cluster.started(3);
    for (let i = 0; i < 3; i++) await cluster.publish(i, makePacket({ name: 'x', expiration: LATER }));
    await cluster.runRound();
    let release = (): void => undefined;
    cluster.node(1).store.held = new Promise((resolve) => (release = resolve));
    return { cluster, release };
  }

  test('it is public only once it is saved, so that a crash takes nobody back', async () => {
    const { cluster, release } = await holding();
    const first = (await cluster.directory(1))!.round;
    await cluster.toNextSlot();
    await cluster.time.advance(5);
    expect((await cluster.directory(0))?.round).toBe(first + 1);
    expect((await cluster.directory(1))?.round).toBe(first);
    release();
    await cluster.time.advance(1);
    expect((await cluster.directory(1))?.round).toBe(first + 1);
    expect(cluster.node(1).store.directory?.round).toBe(first + 1);
  });

  test('a disk that stands still delays it, with an alarm', async () => {
    const { cluster } = await holding();
    const first = (await cluster.directory(1))!.round;
    await cluster.runRound();
    expect((await cluster.directory(1))?.round).toBe(first + 1);
    expect(cluster.node(1).store.directory?.round).toBe(first);
    expect(cluster.node(1).consensus.counters.alarms.storeFailed).toBe(1);
  });
});
