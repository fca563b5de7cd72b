import {
  decodeRaftMessage,
  encodeApplicationMessage,
  encodeRaftMessage,
  sealRaftPacket,
  segment,
  type RaftPacketFields,
} from '@discovery-raft/psp-envelope';
import { channelPair, type ByteChannel } from '@discovery-raft/psp-link';
import { silentLogger, type Logger } from '@discovery-raft/raft-core';
import { createNodeIdentity, type DiscoveryNode, type SignaturePolicy } from '../src/index.js';
import { SLOT_SECONDS, TestCluster } from './fixtures/cluster.js';
import { DATES, keyOf, NOON, packetOf, relay } from './fixtures/people.js';
import { Tap } from './fixtures/tap.js';

/*
 * Signed Raft packets between whole nodes: every policy beside every other, keys that change, certificates that run out, and
 * somebody who has taken over a link but not the keys.
 */

interface Way {
  readonly tap: Tap;
  readonly channel: ByteChannel;
}

interface Alarm {
  readonly of: number;
  readonly code: string;
  readonly peer: string;
  readonly detail: string;
}

let cluster: TestCluster;
let alarms: Alarm[];
let ways: Map<string, Way>;

beforeEach(() => {
  cluster = new TestCluster(3);
  alarms = [];
  ways = new Map();
});
afterEach(() => cluster.stop());

/** Every node with a policy of its own, in the order of the nodes. */
async function start(...policies: readonly SignaturePolicy[]): Promise<void> {
  const logger = (of: number): Logger => ({
    ...silentLogger,
    error: (_, details) => void alarms.push({ of, ...(details as Omit<Alarm, 'of'>) }),
  });
  const tapped = (from: string, to: string, channel: ByteChannel): ByteChannel => {
    const tap = new Tap();
    ways.set(`${from} ${to}`, { tap, channel });
    return tap.on(channel);
  };
  await cluster.start(
    (i) => ({ signatures: policies[i]!, logger: logger(i) }),
    (a, b) => {
      const [endOfA, endOfB] = channelPair({ clock: cluster.clock });
      return [tapped(a, b, endOfA), tapped(b, a, endOfB)];
    },
  );
}

function wayOf(from: DiscoveryNode, to: DiscoveryNode): Way {
  return ways.get(`${from.identity} ${to.identity}`)!;
}

async function publish(name: string, at = cluster.leader!): Promise<void> {
  const { client } = cluster.connect(at);
  expect(await cluster.settle(client.publish(packetOf(relay(name))))).toMatchObject({ code: 'accepted' });
  client.close();
}

/** Says a packet at the end of a link. */
async function say(channel: ByteChannel, packet: RaftPacketFields): Promise<void> {
  await cluster.settle(channel.send(segment(encodeApplicationMessage('discoveryRaftPacket', sealRaftPacket(packet)))));
  await cluster.clock.advance(1);
}

function dropped(node: DiscoveryNode): Record<string, number> {
  return Object.fromEntries(Object.entries(node.droppedPackets).filter(([, count]) => count > 0));
}

/** How the packets of `from` that `at` has taken were signed. */
function takenOf(at: DiscoveryNode, from: DiscoveryNode): Record<string, number> {
  const counts = at.packetSignatures.get(from.identity) ?? { good: 0, outsideDates: 0, none: 0 };
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

/** What a node says of the packets of others, in the order of the nodes. */
function saidBy(at: DiscoveryNode): (string | null)[] {
  const { peers } = at.status();
  const others = cluster.nodes.filter((node) => node !== at);
  return others.map(({ identity }) => peers.find((peer) => peer.identity === identity)!.packetSignature);
}

test('all require signatures: a leader, publishes and a directory; every packet is signed and taken', async () => {
  await start('require', 'require', 'require');
  await cluster.elected();
  for (const node of cluster.nodes) await publish('ada', node);
  await cluster.round(NOON);
  const [first] = cluster.nodes;
  expect((await first!.directory())?.directory.signatures).toHaveLength(3);
  expect(cluster.nodes.map(dropped)).toEqual([{}, {}, {}]);
  for (const at of cluster.nodes) {
    for (const from of cluster.nodes.filter((node) => node !== at)) {
      const { packets } = wayOf(from, at).tap;
      expect(packets.every(({ signature }) => signature?.signature.length === 64)).toBe(true);
      expect(takenOf(at, from)).toEqual(packets.length === 0 ? {} : { good: packets.length });
      // Followers have nothing to say to each other.
      if ([at, from].includes(cluster.leader!)) expect(packets.length).toBeGreaterThan(5);
    }
  }
  expect(alarms).toEqual([]);
});

test('prefer, and one that knows no signatures, as a deployed node: all take part in everything, whoever leads', async () => {
  await start('prefer', 'prefer', 'off');
  const [ada, ben, old] = cluster.nodes as [DiscoveryNode, DiscoveryNode, DiscoveryNode];
  for (const next of [old, ada]) {
    const leader = await cluster.elected();
    if (leader !== next) await cluster.settle(leader.raft.leadershipTransfer(next.identity));
    await cluster.until(() => cluster.leader === next);
    await cluster.elected();
    await publish(`relay of ${next.identity}`);
  }
  for (const node of cluster.nodes) await publish('ada', node);
  await cluster.round(NOON);
  expect((await old.directory())?.directory.signatures).toHaveLength(3);
  expect(takenOf(ben, ada)).toEqual({ good: wayOf(ada, ben).tap.packets.length });
  expect(takenOf(ben, old)).toEqual({ none: wayOf(old, ben).tap.packets.length });
  expect(old.packetSignatures.size).toBe(0);
  expect(saidBy(ada)).toEqual(['good', 'none']);
  expect(saidBy(old)).toEqual([null, null]);
  expect([ada, old].map((node) => node.status().raft.signatures)).toEqual(['prefer', 'off']);
  expect(cluster.nodes.map(dropped)).toEqual([{}, {}, {}]);
  expect(alarms).toEqual([]);
});

test('require, and one without signatures: it has no say, a person is told of whom and why; the others go on', async () => {
  await start('require', 'require', 'off');
  const mute = cluster.nodes[2]!;
  await cluster.until(() => cluster.leader !== undefined && alarms.length > 0);
  const leader = cluster.leader!;
  expect(leader).not.toBe(mute);
  await publish('ada');
  const other = cluster.nodes.find((node) => node !== leader && node !== mute)!;
  await cluster.until(() => other.list.size === 1);
  expect(alarms).toMatchObject([
    { code: 'raftPacketsRefused', peer: mute.identity, times: 1, detail: expect.stringContaining('raft.signatures') },
  ]);
  expect(leader.packetAlarms).toBe(1);
  expect(Object.keys(dropped(leader))).toEqual(['unsigned']);
  expect(takenOf(leader, mute)).toEqual({});
  expect(saidBy(leader).at(-1)).toBe('unsigned');
  // What it is told it believes, as it always did; but nobody hears it, and one more that fails stops the others.
  await cluster.stopNode(other);
  const { commitIndex } = leader.raft;
  await cluster.until(() => leader.raft.state !== 'leader');
  expect([leader.raft.commitIndex, mute.raft.state]).toEqual([commitIndex, 'follower']);
});

test('one that requires among two that do not: it follows nobody, and says why of both; they go on without it', async () => {
  await start('require', 'off', 'off');
  const strict = cluster.nodes[0]!;
  await cluster.until(() => cluster.leader !== undefined && alarms.length === 2);
  const others = cluster.nodes.slice(1);
  expect(others).toContain(cluster.leader);
  await publish('ada');
  await cluster.until(() => others.every(({ list }) => list.size === 1));
  expect([strict.raft.leader, strict.list.size]).toEqual([null, 0]);
  expect(alarms.map(({ of, peer }) => [of, peer]).sort()).toEqual(others.map(({ identity }) => [0, identity]).sort());
  expect(others.map(dropped)).toEqual([{}, {}]);
});

test('a key is replaced while the cluster runs: not one packet is dropped, and the new certificate is what is sent', async () => {
  await start('require', 'require', 'require');
  const leader = await cluster.elected();
  await publish('ada');
  const { term } = leader.raft;
  for (const [i, node] of cluster.nodes.entries()) {
    const keys = { masterKey: keyOf(`node ${i} master`), signingKey: keyOf(`node ${i} again`) };
    const fresh = createNodeIdentity({ role: 'discovery', ...keys, ...DATES, notBefore: DATES.notBefore + 1 });
    node.useIdentity(fresh);
    await publish(`relay ${i}`, leader);
    const other = cluster.nodes.find((peer) => peer !== node && [peer, node].includes(leader))!;
    expect(wayOf(node, other).tap.packets.at(-1)!.signature!.certificate).toEqual(fresh.certificate.bytes);
  }
  await cluster.until(() => cluster.nodes.every(({ list }) => list.size === 4));
  await cluster.round(NOON);
  expect(cluster.nodes.map(dropped)).toEqual([{}, {}, {}]);
  expect(leader.raft.term).toBe(term);
});

test('all certificates run out while the cluster runs: Raft goes on, and what it takes is counted as such', async () => {
  await start('require', 'require', 'require');
  const leader = await cluster.elected();
  const { term } = leader.raft;
  cluster.day.jumpTo(DATES.notAfter + SLOT_SECONDS);
  const { commitIndex } = leader.raft;
  await cluster.settle(leader.raft.barrier());
  await cluster.until(() => cluster.nodes.every(({ raft }) => raft.commitIndex > commitIndex));
  expect(leader.raft).toMatchObject({ state: 'leader', term });
  expect(cluster.nodes.map(dropped)).toEqual([{}, {}, {}]);
  const follower = cluster.nodes.find((node) => node !== leader)!;
  expect(takenOf(follower, leader)).toEqual({ good: expect.any(Number), outsideDates: expect.any(Number) });
  expect(follower.status().peers).toContainEqual({
    identity: leader.identity,
    linked: true,
    packetSignature: 'outsideDates',
  });
  expect(alarms).toEqual([]);
});

describe('somebody who speaks on a node’s own link, without its key', () => {
  let leader: DiscoveryNode;
  let follower: DiscoveryNode;
  let third: DiscoveryNode;

  beforeEach(async () => {
    await start('prefer', 'prefer', 'prefer');
    leader = await cluster.elected();
    [follower, third] = cluster.nodes.filter((node) => node !== leader) as [DiscoveryNode, DiscoveryNode];
    await publish('ada');
  });

  /** What the leader said to a follower last, of a term to come, under an id that is free: it would unseat the leader. */
  function usurping(): RaftPacketFields {
    const last = wayOf(leader, follower).tap.packets.findLast(({ kind }) => kind === 'appendEntries')!;
    const message = decodeRaftMessage(last.msgType, last.payload);
    if (message.kind !== 'appendEntries') throw new Error('a request was looked for');
    const { packet: payload } = encodeRaftMessage({ ...message, term: message.term + 5 });
    return { ...last, packetId: last.packetId + 1000, payload, signature: last.signature! };
  }

  /** The follower has heard nothing of it but the alarm, and the list goes on. */
  async function expectCalm(reason: string): Promise<void> {
    expect(dropped(follower)).toEqual({ [reason]: 1 });
    expect(alarms).toMatchObject([{ code: 'raftPacketsRefused', peer: leader.identity, times: 1 }]);
    const { term } = leader.raft;
    await publish('ben');
    await cluster.until(() => cluster.nodes.every(({ list }) => list.size === 2));
    expect(cluster.nodes.map(({ raft }) => [raft.term, raft.leader?.id])).toEqual(
      cluster.nodes.map(() => [term, leader.identity]),
    );
  }

  test('a packet under a signature of another packet', async () => {
    await say(wayOf(leader, follower).channel, usurping());
    await expectCalm('badSignature');
  });

  test('a packet without a signature, as if the leader could not sign', async () => {
    const { version, sourceId, destinationId, msgType, packetId, payload } = usurping();
    const packet = { version, sourceId, destinationId, msgType, packetId, payload };
    await say(wayOf(leader, follower).channel, packet);
    await expectCalm('downgraded');
  });

  test('a packet signed by another node', async () => {
    const signature = wayOf(third, leader).tap.packets.at(-1)!.signature!;
    await say(wayOf(leader, follower).channel, { ...usurping(), signature });
    await expectCalm('wrongSigner');
  });

  test('without signatures the same packet unseats the leader: this is what they are for', async () => {
    await cluster.stop();
    cluster = new TestCluster(3);
    ways.clear();
    await start('off', 'off', 'off');
    leader = await cluster.elected();
    follower = cluster.nodes.find((node) => node !== leader)!;
    await publish('ada');
    const { term } = leader.raft;
    await say(wayOf(leader, follower).channel, usurping());
    await cluster.until(() => follower.raft.term > term);
    expect(dropped(follower)).toEqual({});
  });
});
