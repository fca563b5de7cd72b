import { verifyDirectory } from '@discovery-raft/discovery-client';
import type { DiscoveryNode } from '../src/index.js';
import { SLOT_SECONDS, TestCluster } from './fixtures/cluster.js';
import { itemBytes, NOON, packetOf, relay, tampered } from './fixtures/people.js';

const ADA = relay('ada');
const BEN = relay('ben');
let cluster: TestCluster;

beforeEach(() => {
  cluster = new TestCluster(3);
});

afterEach(async () => {
  await cluster.stop();
});

/** Publishes at one node only. */
async function publish(
  node: DiscoveryNode,
  packet: Uint8Array,
): Promise<{ readonly code: string; readonly detail: string }> {
  const { client } = cluster.connect(node);
  const receipt = await cluster.settle(client.publish(packet));
  client.close();
  return receipt;
}

/** What went to one node only is shown to the others by the leader, after a while. */
async function attested(node: DiscoveryNode, identity: string): Promise<void> {
  cluster.day.jumpTo(cluster.day.seconds + SLOT_SECONDS / 4);
  await cluster.until(() => node.list.get(identity).some(({ attestations }) => attestations.length >= 2));
}

async function pulled(node: DiscoveryNode) {
  const { client } = cluster.connect(node);
  const directory = await cluster.settle(client.pull());
  client.close();
  return verifyDirectory(directory, { root: cluster.root, atSeconds: cluster.day.seconds });
}

describe('a cluster of three nodes', () => {
  test('a client publishes at one follower; a directory that a quorum signed comes out at every node', async () => {
    await cluster.start();
    const leader = await cluster.elected();
    const follower = cluster.nodes.find((node) => node !== leader)!;
    expect(await publish(follower, packetOf(ADA))).toEqual({ code: 'accepted', detail: '' });
    await attested(leader, ADA.identity);
    await cluster.round(NOON);
    for (const node of cluster.nodes) {
      const verdict = await pulled(node);
      expect(verdict).toMatchObject({ ok: true, creation: NOON, itemBytes: [itemBytes(ADA.identity)] });
      if (verdict.ok) expect(verdict.signers.length).toBeGreaterThanOrEqual(2);
    }
    expect(cluster.nodes.map(({ droppedPackets }) => Object.values(droppedPackets).reduce((a, b) => a + b))).toEqual([
      0, 0, 0,
    ]);
    expect(cluster.nodes.map(({ traffic }) => traffic.malformed)).toEqual([0, 0, 0]);
  });

  test('a node tells of itself: Raft, the list, what lacks attestations, what it serves', async () => {
    await cluster.start();
    const leader = await cluster.elected();
    await publish(leader, packetOf(ADA));
    expect(leader.status()).toMatchObject({
      identity: leader.identity,
      raft: { state: 'leader', leaderId: leader.identity, term: leader.raft.term },
      consensus: { state: 'LeaderRunning', quorum: 2 },
      list: { records: 1, listable: 0, pending: 1 },
      directory: null,
      clients: 0,
    });
    expect(leader.status().peers.map(({ linked }) => linked)).toEqual([true, true]);
    await attested(leader, ADA.identity);
    await cluster.round(NOON);
    const status = leader.status();
    expect(status).toMatchObject({
      list: { records: 1, listable: 1, pending: 0, liveBytes: leader.list.liveBytes },
      directory: { round: NOON / SLOT_SECONDS, creation: NOON, items: 1 },
    });
    expect(status.directory!.signatures).toBeGreaterThanOrEqual(2);
    cluster.day.jumpTo(NOON + 1_000_000);
    expect(leader.status()).toMatchObject({ list: { listable: 0, pending: 0 }, directory: null });
  });

  test('a newer item replaces the older one; an older one is refused', async () => {
    await cluster.start();
    const leader = await cluster.elected();
    const newer = itemBytes(ADA.identity, { address: ['192.0.2.9:9'], expiration: BigInt(NOON + 4000) });
    expect(await publish(leader, packetOf(ADA))).toMatchObject({ code: 'accepted' });
    expect(await publish(leader, packetOf(ADA, newer))).toMatchObject({ code: 'accepted' });
    expect(await publish(leader, packetOf(ADA))).toMatchObject({ code: 'notNewer' });
    await attested(leader, ADA.identity);
    await cluster.round(NOON);
    expect(await pulled(leader)).toMatchObject({ ok: true, itemBytes: [newer] });
  });

  test('the leader stops: another takes the list over, and the next round has the old item and a new one', async () => {
    await cluster.start();
    const old = await cluster.elected();
    expect(await publish(old, packetOf(ADA))).toMatchObject({ code: 'accepted' });
    await attested(old, ADA.identity);
    await cluster.round(NOON);
    await cluster.stopNode(old);
    const leader = await cluster.elected();
    expect(leader).not.toBe(old);
    expect(await publish(leader, packetOf(BEN))).toMatchObject({ code: 'accepted' });
    await attested(leader, BEN.identity);
    await cluster.round(NOON + SLOT_SECONDS);
    const verdict = await pulled(leader);
    expect(verdict).toMatchObject({ ok: true, creation: NOON + SLOT_SECONDS });
    if (verdict.ok) {
      expect(verdict.items.map(({ identity }) => identity)).toEqual([ADA.identity, BEN.identity].sort());
      expect(verdict.signers).not.toContain(old.identity);
    }
  });

  test('a node that starts with nothing serves what a quorum signed as soon as it has a link, not only after the next round', async () => {
    await cluster.start();
    const leader = await cluster.elected();
    expect(await publish(leader, packetOf(ADA))).toMatchObject({ code: 'accepted' });
    await attested(leader, ADA.identity);
    await cluster.round(NOON);
    const gone = cluster.nodes.find((node) => node !== leader)!;
    await cluster.stopNode(gone);
    const back = await cluster.startAnew(gone);
    await cluster.until(async () => (await back.directory())?.round === NOON / SLOT_SECONDS);
    expect(await pulled(back)).toMatchObject({ ok: true, creation: NOON, itemBytes: [itemBytes(ADA.identity)] });
  });

  test.each([
    ['notAuthentic', tampered(packetOf(ADA), 40), 'PKI_BAD_MESSAGE_SIGNATURE'],
    ['notAuthentic', Uint8Array.of(1, 2, 3), 'PKI_UNKNOWN_METHOD'],
    ['identityMismatch', packetOf(ADA, itemBytes(BEN.identity)), ''],
    ['expired', packetOf(ADA, itemBytes(ADA.identity, { expiration: BigInt(NOON - 3600) })), ''],
    ['lifetimeTooLong', packetOf(ADA, itemBytes(ADA.identity, { expiration: BigInt(NOON + 10 * 86_400) })), ''],
    ['unsupportedVersion', packetOf(ADA, itemBytes(ADA.identity, { version: 'another' })), ''],
  ])('a publish is refused with its code (%#): %s', async (code, packet, detail) => {
    await cluster.start();
    const leader = await cluster.elected();
    const receipt = await publish(leader, packet);
    expect(receipt.code).toBe(code);
    expect(receipt.detail).toContain(detail);
    expect(cluster.nodes.map(({ list }) => list.size)).toEqual([0, 0, 0]);
  });
});
