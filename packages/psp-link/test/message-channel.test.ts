import {
  CELL_PAYLOAD_BYTES,
  DEFAULT_LIMITS,
  discoveryMessage,
  encodeDiscoveryMessage,
  segment,
  type ApplicationMessage,
} from '@discovery-raft/psp-envelope';
import { silentLogger, SimulatedClock } from '@discovery-raft/raft-core';
import {
  channelPair,
  MessageChannel,
  newChannelCounters,
  type ByteChannel,
  type ChannelCounters,
} from '../src/index.js';

const VERSION = 'xpx-discovery-1.0';

const PULL = discoveryMessage('pullDiscovery', { version: VERSION });
const PULL_BYTES = encodeDiscoveryMessage(PULL);

interface Opened {
  readonly channel: MessageChannel;
  readonly counters: ChannelCounters;
  readonly got: ApplicationMessage[];
}

function open(bytes: ByteChannel, take?: (message: ApplicationMessage, channel: MessageChannel) => void): Opened {
  const counters = newChannelCounters();
  const got: ApplicationMessage[] = [];
  const receive = (message: ApplicationMessage, channel: MessageChannel): void => {
    got.push(message);
    take?.(message, channel);
  };
  const channel = new MessageChannel(bytes, { limits: DEFAULT_LIMITS, logger: silentLogger, counters, receive });
  return { channel, counters, got };
}

/** The one piece of a short message. */
function pieceOf(message: Uint8Array): Uint8Array {
  return segment(message)[0]!;
}

describe('MessageChannel', () => {
  test('posts a message without a promise, whether the channel can or not, and tells what became of it', async () => {
    const clock = new SimulatedClock();
    const [a, b] = channelPair({ clock });
    const told: unknown[] = [];
    const posted: number[] = [];
    const posting: ByteChannel = {
      open: true,
      send: () => Promise.reject(new Error('not this way')),
      post: (pieces, done) => {
        posted.push(pieces.length);
        done(null);
      },
      onPiece: () => undefined,
      onClose: () => undefined,
      close: () => undefined,
    };
    const { channel, counters } = open(a);
    const right = open(b);
    for (const each of [channel, open(posting).channel]) each.post(PULL, (error) => told.push(error));
    expect([told, posted]).toEqual([[null], [1]]);
    await clock.advance(0);
    expect(told).toEqual([null, null]);
    expect(right.got.map(({ event }) => event)).toEqual(['pullDiscovery']);
    expect(counters).toMatchObject({ messagesSent: 1, bytesSent: PULL_BYTES.length + 4 });
    channel.post({ ...PULL, event: 'nothing' as 'pullDiscovery' }, (error) => told.push(error));
    expect(told[2]).toBeInstanceOf(Error);
    a.close();
    channel.post(PULL, (error) => told.push(error));
    await clock.advance(0);
    expect(told[3]).toMatchObject({ code: 'LINK_CHANNEL_CLOSED' });
  });

  test('carries messages of any size, and counts bytes and messages on both sides', async () => {
    const clock = new SimulatedClock();
    const [a, b] = channelPair({ clock });
    const left = open(a);
    const right = open(b);
    const large = new Uint8Array(3 * CELL_PAYLOAD_BYTES).fill(7);
    const sent = [left.channel.send(PULL), left.channel.sendEncoded('discoveryRaftPacket', large)];
    await clock.advance(0);
    await Promise.all(sent);
    expect(right.got.map(({ event, body }) => [event, body.length])).toEqual([
      ['pullDiscovery', 2 + VERSION.length],
      ['discoveryRaftPacket', large.length],
    ]);
    const bytes = 4 + 2 + 2 + VERSION.length + 4 + 2 + large.length;
    expect(left.counters).toEqual({
      bytesSent: bytes,
      bytesReceived: 0,
      messagesSent: 2,
      messagesReceived: 0,
      malformed: 0,
    });
    expect(right.counters).toEqual({
      bytesSent: 0,
      bytesReceived: bytes,
      messagesSent: 0,
      messagesReceived: 2,
      malformed: 0,
    });
  });

  test.each([
    ['a length that leaves no message', Uint8Array.of(0, 0, 0, 4)],
    ['a length over the limit', Uint8Array.of(0xff, 0xff, 0xff, 0xff)],
    ['two messages in one cell', new Uint8Array(Buffer.concat([pieceOf(PULL_BYTES), pieceOf(PULL_BYTES)]))],
    ['an unknown event', pieceOf(Uint8Array.of(0xff, 0xff, 1))],
    ['a message without an event', pieceOf(Uint8Array.of(7))],
  ])('bytes that are no message close this channel and no other: %s', async (_, bytes) => {
    const clock = new SimulatedClock();
    const [a, b] = channelPair({ clock });
    const [c, d] = channelPair({ clock });
    const bad = open(b);
    const good = open(d);
    const sent = [a.send([bytes]), open(c).channel.send(PULL)];
    await clock.advance(0);
    await Promise.all(sent);
    expect([bad.channel.open, a.open, good.channel.open]).toEqual([false, false, true]);
    expect(bad.counters).toMatchObject({ malformed: 1, bytesReceived: bytes.length });
    expect(bad.got).toEqual([]);
    expect(good.got).toHaveLength(1);
    expect(good.counters.malformed).toBe(0);
  });

  test('a receiver that throws breaks the channel, once', async () => {
    const clock = new SimulatedClock();
    const [a, b] = channelPair({ clock });
    const right = open(b, () => {
      throw new Error('not what I know');
    });
    const outcome = a.send([pieceOf(PULL_BYTES), pieceOf(PULL_BYTES)]).catch(() => {});
    await clock.advance(0);
    await outcome;
    expect(right.got).toHaveLength(1);
    expect(right.counters.malformed).toBe(1);
    expect(right.channel.open).toBe(false);
  });

  test('once the receiver has closed the channel, nothing more of it is read', async () => {
    const clock = new SimulatedClock();
    const [a, b] = channelPair({ clock });
    const right = open(b, (_, channel) => channel.close());
    const outcome = a.send([pieceOf(PULL_BYTES), pieceOf(PULL_BYTES)]).catch(() => {});
    await clock.advance(0);
    await outcome;
    expect(right.got).toHaveLength(1);
    expect(right.counters).toMatchObject({ messagesReceived: 1, malformed: 0 });
  });

  test('what cannot be encoded is an error of the sender and leaves the channel open; a closed one refuses', async () => {
    const [a] = channelPair({ clock: new SimulatedClock() });
    const { channel, counters } = open(a);
    const tooLarge = new Uint8Array(DEFAULT_LIMITS.maxMessageBytes);
    await expect(channel.sendEncoded('discoveryRaftPacket', tooLarge)).rejects.toMatchObject({
      code: 'ENVELOPE_TOO_LARGE',
    });
    expect(channel.open).toBe(true);
    const ended = jest.fn();
    channel.onClose(ended);
    channel.close();
    expect(ended).toHaveBeenCalledTimes(1);
    await expect(channel.send(PULL)).rejects.toMatchObject({ code: 'LINK_CHANNEL_CLOSED' });
    expect(counters.malformed).toBe(0);
  });
});

test('an encoded body may come in windows, which stay as they are', async () => {
  const clock = new SimulatedClock();
  const [a, b] = channelPair({ clock });
  const left = open(a);
  const right = open(b);
  const windows = [1, 70_000, 3, 140_000].map((length, i) => new Uint8Array(length).fill(i + 1));
  const sent = left.channel.sendEncoded('discoveryDirectory', ...windows);
  await clock.advance(0);
  await sent;
  expect(right.got).toHaveLength(1);
  expect(right.got[0]).toMatchObject({ event: 'discoveryDirectory' });
  expect(Buffer.concat(windows).equals(right.got[0]!.body)).toBe(true);
  expect(left.counters).toMatchObject({ messagesSent: 1, bytesSent: 6 + 210_004 });
});
