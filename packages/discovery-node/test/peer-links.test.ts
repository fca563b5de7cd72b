import { DEFAULT_LIMITS, discoveryMessage, type ApplicationMessage } from '@discovery-raft/psp-envelope';
import { channelPair, MessageChannel, newChannelCounters, type ByteChannel } from '@discovery-raft/psp-link';
import { silentLogger, SimulatedClock } from '@discovery-raft/raft-core';
import { PeerLinks } from '../src/node/peer-links.js';
import { VERSION } from './fixtures/people.js';

const PULL = discoveryMessage('pullDiscovery', { version: VERSION });

function messages(channel: ByteChannel, receive: (message: ApplicationMessage) => void = () => {}): MessageChannel {
  return new MessageChannel(channel, {
    limits: DEFAULT_LIMITS,
    logger: silentLogger,
    counters: newChannelCounters(),
    receive,
  });
}

function link(clock: SimulatedClock): {
  readonly near: MessageChannel;
  readonly far: MessageChannel;
  readonly got: string[];
} {
  const [a, b] = channelPair({ clock });
  const got: string[] = [];
  return { near: messages(a), far: messages(b, ({ event }) => got.push(event)), got };
}

describe('PeerLinks', () => {
  test('a peer without a link cannot be reached', async () => {
    const links = new PeerLinks();
    const refusal = { code: 'NODE_PEER_UNREACHABLE', retryable: true, details: { peer: 'a' } };
    expect(links.isAuthenticated('a')).toBe(false);
    await expect(links.send('a', PULL)).rejects.toMatchObject(refusal);
    await expect(links.sendRaftPacket('a', Uint8Array.of(1), 'main')).rejects.toMatchObject(refusal);
  });

  test('messages and raft packets go to their peer, in the order in which they were sent', async () => {
    const clock = new SimulatedClock();
    const links = new PeerLinks();
    const [a, b] = [link(clock), link(clock)];
    links.attach('a', { main: a.near });
    links.attach('b', { main: b.near });
    const sent = [links.sendRaftPacket('a', Uint8Array.of(1), 'main'), links.send('a', PULL), links.send('b', PULL)];
    await clock.advance(0);
    await Promise.all(sent);
    expect(a.got).toEqual(['discoveryRaftPacket', 'pullDiscovery']);
    expect(b.got).toEqual(['pullDiscovery']);
  });

  test('the newest link of a peer replaces and closes the one before, whose end then changes nothing', async () => {
    const clock = new SimulatedClock();
    const links = new PeerLinks();
    const [old, young] = [link(clock), link(clock)];
    links.attach('a', { main: old.near });
    links.attach('a', { main: young.near });
    expect([old.far.open, young.far.open]).toEqual([false, true]);
    expect(links.isAuthenticated('a')).toBe(true);
    const sent = links.send('a', PULL);
    await clock.advance(0);
    await sent;
    expect(young.got).toEqual(['pullDiscovery']);
  });

  test('a link that ends is forgotten; one that had ended before never counts', () => {
    const clock = new SimulatedClock();
    const links = new PeerLinks();
    const [one, dead] = [link(clock), link(clock)];
    links.attach('a', { main: one.near });
    one.far.close();
    expect(links.isAuthenticated('a')).toBe(false);
    dead.near.close();
    links.attach('a', { main: dead.near });
    expect(links.isAuthenticated('a')).toBe(false);
  });

  test('what is large goes by the bulk channel, if there is one', async () => {
    const clock = new SimulatedClock();
    const links = new PeerLinks();
    const [main, bulk, only] = [link(clock), link(clock), link(clock)];
    links.attach('a', { main: main.near, bulk: bulk.near });
    links.attach('b', { main: only.near });
    const sent = ['a', 'b'].map((peer) => links.sendRaftPacket(peer, Uint8Array.of(1), 'bulk'));
    await clock.advance(0);
    await Promise.all(sent);
    expect([main.got, bulk.got, only.got]).toEqual([[], ['discoveryRaftPacket'], ['discoveryRaftPacket']]);
  });

  test.each(['main', 'bulk'] as const)('a link ends when its %s channel does', (lane) => {
    const clock = new SimulatedClock();
    const links = new PeerLinks();
    const channels = { main: link(clock), bulk: link(clock) };
    links.attach('a', { main: channels.main.near, bulk: channels.bulk.near });
    channels[lane].far.close();
    expect(links.isAuthenticated('a')).toBe(false);
    expect([channels.main.far.open, channels.bulk.far.open]).toEqual([false, false]);
  });

  test('close ends all links', () => {
    const clock = new SimulatedClock();
    const links = new PeerLinks();
    const ends = ['a', 'b', 'c'].map((peer) => {
      const { near, far } = link(clock);
      links.attach(peer, { main: near });
      return far;
    });
    links.close();
    expect(ends.map(({ open }) => open)).toEqual([false, false, false]);
    expect(links.isAuthenticated('a')).toBe(false);
  });
});
