import {
  DEFAULT_LIMITS,
  encodeApplicationMessage,
  sealRaftPacket,
  segment,
  type RaftPacket,
} from '@discovery-raft/psp-envelope';
import { channelPair, type ByteChannel } from '@discovery-raft/psp-link';
import type { DiscoveryNode } from '../src/index.js';
import { TestCluster } from './fixtures/cluster.js';
import { packetOf, relay } from './fixtures/people.js';
import { Tap } from './fixtures/tap.js';

/*
 * What somebody may try with Raft packets who has recorded all of them and sits at the links: he says them again, to whom
 * they were for, to who said them, to a third. In each story nothing happens but a count, and the cluster goes on.
 */

interface Way {
  readonly tap: Tap;
  readonly channel: ByteChannel;
}

let cluster: TestCluster;
let ways: Map<string, Way>;
let leader: DiscoveryNode;
let others: readonly DiscoveryNode[];

beforeEach(async () => {
  cluster = new TestCluster(3);
  ways = new Map();
  const tapped = (from: string, to: string, channel: ByteChannel): ByteChannel => {
    const tap = new Tap();
    ways.set(`${from} ${to}`, { tap, channel });
    return tap.on(channel);
  };
  await cluster.start({}, (a, b) => {
    const [endOfA, endOfB] = channelPair({ clock: cluster.clock });
    return [tapped(a, b, endOfA), tapped(b, a, endOfB)];
  });
  leader = await cluster.elected();
  others = cluster.nodes.filter((node) => node !== leader);
  await publish('ada');
});

afterEach(() => cluster.stop());

function wayOf(from: DiscoveryNode, to: DiscoveryNode): Way {
  return ways.get(`${from.identity} ${to.identity}`)!;
}

async function publish(name: string): Promise<void> {
  const { client } = cluster.connect(leader);
  expect(await cluster.settle(client.publish(packetOf(relay(name))))).toMatchObject({ code: 'accepted' });
  client.close();
}

/** Says recorded packets at one end of a link, word for word. */
async function say(channel: ByteChannel, packets: readonly RaftPacket[]): Promise<void> {
  for (const packet of packets) {
    await cluster.settle(
      channel.send(segment(encodeApplicationMessage('discoveryRaftPacket', sealRaftPacket(packet)))),
    );
  }
  await cluster.clock.advance(1);
}

function recorded(from: DiscoveryNode, to: DiscoveryNode): readonly RaftPacket[] {
  const packets = [...wayOf(from, to).tap.packets];
  expect(packets.length).toBeGreaterThan(5);
  return packets;
}

/** Nobody leads but who led, in the same term, and the list goes on. */
async function expectCalm(): Promise<void> {
  const { term } = leader.raft;
  await publish('ben');
  await cluster.until(() => cluster.nodes.every(({ list }) => list.size === 2));
  expect(cluster.nodes.map(({ raft }) => [raft.term, raft.leader?.id])).toEqual(
    cluster.nodes.map(() => [term, leader.identity]),
  );
}

test('replayed: all that the leader said to a follower, said to it again', async () => {
  const [follower] = others as [DiscoveryNode];
  const before = follower.droppedPackets;
  const packets = recorded(leader, follower);
  await say(wayOf(leader, follower).channel, packets);
  const requests = packets.filter(({ direction }) => direction === 'request').length;
  expect(follower.droppedPackets).toMatchObject({
    repeated: before.repeated + requests,
    unexpected: before.unexpected + packets.length - requests,
  });
  await expectCalm();
});

test('reflected: all that the leader said to a follower, thrown back at the leader', async () => {
  const [follower] = others as [DiscoveryNode];
  const packets = recorded(leader, follower);
  await say(wayOf(follower, leader).channel, packets);
  expect(leader.droppedPackets).toMatchObject({ wrongSource: packets.length });
  await expectCalm();
});

test('diverted: what the leader said to one follower, said to the other on the leader’s own link', async () => {
  const [follower, third] = others as [DiscoveryNode, DiscoveryNode];
  const packets = recorded(leader, follower);
  await say(wayOf(leader, third).channel, packets);
  expect(third.droppedPackets).toMatchObject({ wrongDestination: packets.length });
  await expectCalm();
});

test('forged: one follower says to the other what only the leader may say', async () => {
  const [liar, victim] = others as [DiscoveryNode, DiscoveryNode];
  const packets = recorded(leader, victim);
  await say(wayOf(liar, victim).channel, packets);
  expect(victim.droppedPackets).toMatchObject({ wrongSource: packets.length });
  await expectCalm();
});

test('oversized: a message beyond the limit ends its link before it is whole; over a new one Raft goes on', async () => {
  const [follower] = others as [DiscoveryNode];
  const { channel } = wayOf(follower, leader);
  const pieces = segment(new Uint8Array(DEFAULT_LIMITS.maxMessageBytes + 1));
  await cluster.settle(channel.send(pieces.slice(0, 2)).catch(() => undefined));
  await cluster.until(() => !channel.open);
  const [a, b] = channelPair({ clock: cluster.clock });
  leader.attachPeer(follower.identity, { main: a });
  follower.attachPeer(leader.identity, { main: b });
  leader = await cluster.elected();
  await expectCalm();
});
