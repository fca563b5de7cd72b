import { MemoryTransport } from '@discovery-raft/memory-transport';
import { DEFAULT_LIMITS, discoveryMessage, wrapRaftPacket, type DiscoveryMessage } from '@discovery-raft/psp-envelope';
import { channelPair, MessageChannel, newChannelCounters, type ByteChannel } from '@discovery-raft/psp-link';
import { Raft, silentLogger } from '@discovery-raft/raft-core';
import { MemoryDirectoryStore } from '@discovery-raft/discovery-consensus-fsm';
import { DiscoveryNode, memoryStores } from '../src/index.js';
import { SLOT_SECONDS, TestCluster } from './fixtures/cluster.js';
import { NOON, packetOf, relay, VERSION } from './fixtures/people.js';
import { appendEntries } from './fixtures/raft-messages.js';
import { Tap } from './fixtures/tap.js';

const ADA = relay('ada');
let cluster: TestCluster;

beforeEach(() => {
  cluster = new TestCluster(3);
});

afterEach(async () => {
  await cluster.stop();
});

/** Something that speaks the protocol's messages, whoever it is. */
function speaker(channel: ByteChannel): { readonly channel: MessageChannel; readonly got: string[] } {
  const got: string[] = [];
  const messages = new MessageChannel(channel, {
    limits: DEFAULT_LIMITS,
    logger: silentLogger,
    counters: newChannelCounters(),
    receive: ({ event }) => got.push(event),
  });
  return { channel: messages, got };
}

function raftPacket(sourceId: string, destinationId: string, name = sourceId, packetId = 1): Uint8Array {
  return wrapRaftPacket({ version: VERSION, sourceId, destinationId, packetId, message: appendEntries(name) });
}

/** A stranger's connection to a node, as the node's listener would make it. */
function stranger(node: DiscoveryNode) {
  const [near, far] = channelPair({ clock: cluster.clock });
  node.attachClient({ source: '198.51.100.7' }, far);
  return speaker(near);
}

async function said(channel: MessageChannel, message: DiscoveryMessage): Promise<void> {
  await cluster.settle(channel.send(message).catch(() => {}));
}

describe('what a stranger may say', () => {
  test('a raft packet closes the connection, and Raft never sees it', async () => {
    await cluster.start();
    const leader = await cluster.elected();
    const { term } = leader.raft;
    const { channel } = stranger(leader);
    const sent = channel.sendEncoded(
      'discoveryRaftPacket',
      raftPacket(cluster.identities[1]!.identity, leader.identity),
    );
    await cluster.settle(sent.catch(() => {}));
    await cluster.until(() => !channel.open);
    expect(leader.raft).toMatchObject({ state: 'leader', term });
    expect(Object.values(leader.droppedPackets).every((count) => count === 0)).toBe(true);
  });

  test.each([
    discoveryMessage('discoveryConsensusVote', {}),
    discoveryMessage('discoveryRequestConsensusVote', {}),
    discoveryMessage('discoveryFinalConsensus', {}),
    discoveryMessage('publishToDiscoveryForwarded', {}),
    discoveryMessage('discoveryRequestAttestation', {}),
    discoveryMessage('discoveryDirectory', {}),
    discoveryMessage('publishToDiscoveryResult', {}),
  ])('$event closes the connection', async (message) => {
    await cluster.start();
    const { channel } = stranger(cluster.nodes[0]!);
    await said(channel, message);
    await cluster.until(() => !channel.open);
  });

  test('a body that is none closes the connection and no other', async () => {
    await cluster.start();
    const leader = await cluster.elected();
    const [bad, good] = [stranger(leader), stranger(leader)];
    await cluster.settle(bad.channel.sendEncoded('publishToDiscovery', Uint8Array.of(0xff)).catch(() => {}));
    await cluster.until(() => !bad.channel.open);
    expect(good.channel.open).toBe(true);
    expect(leader.traffic.malformed).toBe(1);
    expect(leader.raft.state).toBe('leader');
  });

  test('what is no message is counted, and writes no line into the log that operators read; of a peer it does', async () => {
    const loud: string[] = [];
    const note = (message: string): unknown => loud.push(message);
    await cluster.start({ logger: { ...silentLogger, warn: note, error: note } });
    const leader = await cluster.elected();
    for (let i = 0; i < 20; i++) {
      const { channel } = stranger(leader);
      await cluster.settle(channel.sendEncoded('publishToDiscovery', Uint8Array.of(0xff)).catch(() => {}));
      await cluster.until(() => !channel.open);
    }
    expect(leader.traffic.malformed).toBe(20);
    expect(loud).toEqual([]);
    const [near, far] = channelPair({ clock: cluster.clock });
    leader.attachPeer(cluster.nodes.find((node) => node !== leader)!.identity, { main: far });
    await cluster.settle(
      speaker(near)
        .channel.sendEncoded('discoveryConsensusVote', Uint8Array.of(0xff))
        .catch(() => {}),
    );
    await cluster.until(() => leader.traffic.malformed === 21);
    expect(loud).toHaveLength(1);
  });

  test('a publish without a request id is taken and not answered', async () => {
    await cluster.start();
    const leader = await cluster.elected();
    const { channel, got } = stranger(leader);
    await said(
      channel,
      discoveryMessage('publishToDiscovery', { version: VERSION, signedDiscoveryItem: packetOf(ADA) }),
    );
    await cluster.until(() => leader.list.size === 1);
    expect(got).toEqual([]);
    expect(channel.open).toBe(true);
  });
});

describe('what a peer may say', () => {
  test('packets in another name, to another node or of a server outside the configuration are dropped, by reason', async () => {
    await cluster.start();
    const [node, other] = cluster.nodes as [DiscoveryNode, DiscoveryNode];
    const [near, far] = channelPair({ clock: cluster.clock });
    node.attachPeer('xpx.discovery.node.nobody', { main: far });
    const peer = speaker(near).channel;
    const nobody = 'xpx.discovery.node.nobody';
    for (const packet of [
      raftPacket(other.identity, node.identity),
      raftPacket(nobody, other.identity),
      raftPacket(nobody, node.identity),
    ]) {
      await cluster.settle(peer.sendEncoded('discoveryRaftPacket', packet));
    }
    expect(node.droppedPackets).toMatchObject({ wrongSource: 1, wrongDestination: 1, notMember: 1, repeated: 0 });
    expect(peer.open).toBe(true);
  });

  test('a raft packet that cannot be read closes the link, and Raft goes on over a new one', async () => {
    await cluster.start();
    const leader = await cluster.elected();
    const peer = cluster.nodes.find((node) => node !== leader)!;
    const [bad, far] = channelPair({ clock: cluster.clock });
    leader.attachPeer(peer.identity, { main: far });
    await cluster.settle(
      speaker(bad)
        .channel.sendEncoded('discoveryRaftPacket', Uint8Array.of(0xff))
        .catch(() => {}),
    );
    expect(bad.open).toBe(false);
    expect(leader.droppedPackets.malformed).toBe(1);
    const [a, b] = channelPair({ clock: cluster.clock });
    leader.attachPeer(peer.identity, { main: a });
    peer.attachPeer(leader.identity, { main: b });
    await cluster.elected();
    const { client } = cluster.connect(peer);
    expect(await cluster.settle(client.publish(packetOf(ADA)))).toMatchObject({ code: 'accepted' });
    await cluster.until(() => cluster.nodes.every(({ list }) => list.size === 1));
  });
});

describe('the way of Raft', () => {
  test('every RPC of the cluster goes through bytes: the packets of each link are numbered without a gap', async () => {
    const taps = new Map<string, Tap>();
    const tapped = (from: string, to: string, channel: ByteChannel): ByteChannel => {
      const tap = new Tap();
      taps.set(`${from} ${to}`, tap);
      return tap.on(channel);
    };
    // Counted where Raft hands its RPCs over, and where it is handed those of its peers.
    const send = jest.spyOn(MemoryTransport.prototype, 'send');
    await cluster.start({}, (a, b) => {
      const [endOfA, endOfB] = channelPair({ clock: cluster.clock });
      return [tapped(a, b, endOfA), tapped(b, a, endOfB)];
    });
    const leader = await cluster.elected();
    const { client } = cluster.connect(leader);
    expect(await cluster.settle(client.publish(packetOf(ADA)))).toMatchObject({ code: 'accepted' });
    await cluster.until(() => cluster.nodes.every(({ list }) => list.size === 1));
    await cluster.clock.advance(0);

    let requests = 0;
    for (const [way, { packets }] of taps) {
      const [from, to] = way.split(' ') as [string, string];
      for (const packet of packets) expect([packet.sourceId, packet.destinationId]).toEqual([from, to]);
      const asked = packets.filter(({ direction }) => direction === 'request').map(({ packetId }) => packetId);
      expect(asked).toEqual(asked.map((_, i) => i + 1));
      requests += asked.length;
      const answered = taps.get(`${to} ${from}`)!.packets.filter(({ direction }) => direction === 'response');
      for (const { packetId } of answered) expect(asked).toContain(packetId);
    }
    expect(requests).toBeGreaterThan(10);
    expect(requests).toBe(send.mock.calls.length);
    send.mockRestore();
  });

  test('without links there is no leader: nothing goes around them', async () => {
    const ends: ByteChannel[] = [];
    await cluster.start({}, () => {
      const pair = channelPair({ clock: cluster.clock });
      ends.push(pair[0]);
      return pair;
    });
    const leader = await cluster.elected();
    for (const end of ends) end.close();
    await cluster.until(() => leader.raft.state !== 'leader');
    await cluster.clock.advance(20_000);
    expect(cluster.nodes.map(({ raft }) => raft.state)).not.toContain('leader');
  });
});

describe('the end of a node', () => {
  test('stop closes links and clients, and may be called again', async () => {
    await cluster.start();
    const leader = await cluster.elected();
    const { client } = cluster.connect(leader);
    const pull = expect(client.pull()).rejects.toMatchObject({ code: 'LINK_CHANNEL_CLOSED' });
    const { channel } = stranger(leader);
    await cluster.stopNode(leader);
    await pull;
    expect(channel.open).toBe(false);
    await leader.stop();
    expect(leader.raft.state).toBe('shutdown');
    await expect(leader.raft.apply(Uint8Array.of(1))).rejects.toMatchObject({ code: 'RAFT_SHUTDOWN' });
  });

  test('channels that come to a stopped node are closed', async () => {
    await cluster.start();
    const node = cluster.nodes[0]!;
    await cluster.stopNode(node);
    const { channel } = stranger(node);
    const [near, far] = channelPair({ clock: cluster.clock });
    node.attachPeer(cluster.identities[1]!.identity, { main: far });
    expect([channel.open, near.open]).toEqual([false, false]);
  });

  test('a node whose directory store fails is not made, and its Raft does not go on', async () => {
    const shutdown = jest.spyOn(Raft.prototype, 'shutdown');
    const directoryStore = new MemoryDirectoryStore();
    directoryStore.load = () => Promise.reject(new Error('the disk is gone'));
    const made = cluster.start({ stores: { ...memoryStores(), directoryStore } });
    await expect(cluster.settle(made)).rejects.toMatchObject({ code: 'CONSENSUS_STORE_FAILED' });
    expect(shutdown).toHaveBeenCalledTimes(1);
    shutdown.mockRestore();
  });

  test('a node whose list of members lacks it is not made', async () => {
    const { identities, root, clock } = cluster;
    const [identity, ...members] = identities;
    await expect(DiscoveryNode.create({ identity: identity!, members, root, clock })).rejects.toMatchObject({
      code: 'NODE_NOT_NAMED',
    });
  });

  test('before its first directory, a node serves none or its own list alone, which no quorum has signed', async () => {
    await cluster.start();
    const leader = await cluster.elected();
    const interim = await leader.directory();
    expect(interim === null || interim.round === 0).toBe(true);
    cluster.day.jumpTo(NOON - 1);
    await cluster.round(NOON);
    expect((await leader.directory())?.round).toBe(NOON / SLOT_SECONDS);
  });
});
