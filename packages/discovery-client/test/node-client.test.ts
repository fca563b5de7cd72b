import type { DiscoveryDirectoryPart } from '@discovery-raft/protocol';
import {
  cutDirectory,
  DEFAULT_LIMITS,
  decodeDiscoveryBody,
  discoveryMessage,
  encodeDiscoveryMessage,
  MIN_DIRECTORY_PART_BYTES,
  noDirectoryPart,
  segment,
  type DiscoveryMessage,
} from '@discovery-raft/psp-envelope';
import { channelPair, MessageChannel, newChannelCounters } from '@discovery-raft/psp-link';
import { silentLogger, SimulatedClock, type Clock, type Timer } from '@discovery-raft/raft-core';
import { NodeClient } from '../src/index.js';
import { sha256, VERSION } from './fixtures/network.js';

/** A client, and a server that keeps what it is asked and says what the test says. */
function connected(timeoutMs = 1000) {
  const clock = new SimulatedClock();
  const [near, far] = channelPair({ clock });
  const asked: DiscoveryMessage[] = [];
  const server = new MessageChannel(far, {
    limits: DEFAULT_LIMITS,
    logger: silentLogger,
    counters: newChannelCounters(),
    receive: ({ event, body }) => asked.push(decodeDiscoveryBody(event, body)),
  });
  const client = new NodeClient(near, { version: VERSION, clock, timeoutMs });
  const say = async (message: DiscoveryMessage): Promise<void> => {
    const sent = server.send(message);
    await clock.advance(0);
    await sent;
  };
  return { clock, near, far, server, client, asked, say };
}

function receipt(requestID: bigint, code: number, detail = ''): DiscoveryMessage {
  return discoveryMessage('publishToDiscoveryResult', { requestID, code, detail });
}

function directory(...bytes: number[]) {
  return discoveryMessage('discoveryDirectory', { directory: Uint8Array.from(bytes) });
}

describe('publish', () => {
  test('sends the packet and resolves with the receipt of its own request, in any order', async () => {
    const { client, clock, asked, say } = connected();
    const first = client.publish(Uint8Array.of(1));
    const second = client.publish(Uint8Array.of(2));
    await clock.advance(0);
    expect(asked).toMatchObject([
      { event: 'publishToDiscovery', body: { version: VERSION, signedDiscoveryItem: Uint8Array.of(1), requestID: 1n } },
      { event: 'publishToDiscovery', body: { signedDiscoveryItem: Uint8Array.of(2), requestID: 2n } },
    ]);
    await say(receipt(2n, 0));
    await say(receipt(1n, 4, 'PKI_EXPIRED'));
    await expect(second).resolves.toEqual({ code: 'accepted', detail: '' });
    await expect(first).resolves.toEqual({ code: 'notAuthentic', detail: 'PKI_EXPIRED' });
  });

  test('a code of a later version is told as such', async () => {
    const { client, say } = connected();
    const answer = client.publish(Uint8Array.of(1));
    await say(receipt(1n, 4711, 'new'));
    await expect(answer).resolves.toEqual({ code: 'unknownCode', detail: 'new' });
  });

  test('a receipt that nobody waits for is ignored, also one that comes too late', async () => {
    const { client, clock, server, say } = connected(100);
    const late = expect(client.publish(Uint8Array.of(1))).rejects.toMatchObject({
      code: 'CLIENT_TIMEOUT',
      retryable: true,
    });
    await clock.advance(99);
    await clock.advance(1);
    await late;
    await say(receipt(1n, 0));
    await say(receipt(99n, 0));
    expect(server.open).toBe(true);
    const next = client.publish(Uint8Array.of(2));
    await say(receipt(2n, 12));
    await expect(next).resolves.toMatchObject({ code: 'notNewer' });
  });

  test('an answer in time calls the timeout off', async () => {
    const { client, clock, say } = connected(100);
    const answer = client.publish(Uint8Array.of(1));
    await clock.advance(99);
    await say(receipt(1n, 0));
    await clock.advance(1000);
    await expect(answer).resolves.toMatchObject({ code: 'accepted' });
  });

  test.each(['an answer', 'the end of the channel'])(
    '%s leaves no timer that would keep the process alive',
    async (what) => {
      const virtual = new SimulatedClock();
      const live = new Set<Timer>();
      const clock: Clock = {
        now: () => virtual.now(),
        wallNow: () => virtual.wallNow(),
        defer: (callback) => virtual.defer(callback),
        setTimer: (delayMs, callback) => {
          const timer = virtual.setTimer(delayMs, callback);
          const counted = { cancel: () => (timer.cancel(), void live.delete(counted)) };
          live.add(counted);
          return counted;
        },
      };
      const [near, far] = channelPair({ clock: virtual });
      const client = new NodeClient(near, { version: VERSION, clock });
      const asked = Promise.allSettled([client.publish(Uint8Array.of(1))]);
      expect(live.size).toBe(1);
      await virtual.advance(0);
      if (what === 'an answer') {
        const bytes = encodeDiscoveryMessage(receipt(1n, 0));
        await virtual.resolve(far.send(segment(bytes)), 10);
      } else far.close();
      await asked;
      expect(live.size).toBe(0);
    },
  );

  test('a packet that no message can hold is refused at once', async () => {
    const { client } = connected();
    await expect(client.publish(new Uint8Array(DEFAULT_LIMITS.maxSmallBodyBytes))).rejects.toMatchObject({
      code: 'ENVELOPE_TOO_LARGE',
    });
  });
});

describe('pull', () => {
  test('answers go to those who asked, in order', async () => {
    const { client, asked, say } = connected();
    const first = client.pull();
    const second = client.pull();
    await say(directory(1));
    await say(directory(2));
    await say(directory(3));
    expect(asked.map(({ event }) => event)).toEqual(['pullDiscovery', 'pullDiscovery']);
    await expect(first).resolves.toMatchObject({ directory: Uint8Array.of(1) });
    await expect(second).resolves.toMatchObject({ directory: Uint8Array.of(2) });
  });

  test('trust roots come to who asked for them', async () => {
    const { client, asked, say } = connected();
    const [one, two] = [client.pullTrustRoots(1), client.pullTrustRoots(5)];
    const root = (first: number) => ({ root: Uint8Array.of(first), signatures: [] });
    await say(discoveryMessage('trustRoots', { requestID: 2n, roots: [root(2)] }));
    await say(discoveryMessage('trustRoots', { requestID: 9n, roots: [root(9)] }));
    await say(discoveryMessage('trustRoots', { requestID: 1n }));
    expect(asked).toMatchObject([
      { event: 'pullTrustRoots', body: { requestID: 1n, newerThan: 1n } },
      { event: 'pullTrustRoots', body: { requestID: 2n, newerThan: 5n } },
    ]);
    await expect(one).resolves.toEqual([]);
    await expect(two).resolves.toMatchObject([{ root: Uint8Array.of(2) }]);
  });

  test('a node without a directory does not answer: the pull times out and makes room for the next', async () => {
    const { client, clock, say } = connected(100);
    const first = expect(client.pull()).rejects.toMatchObject({ code: 'CLIENT_TIMEOUT' });
    await clock.advance(100);
    await first;
    const second = client.pull();
    await say(directory(7));
    await expect(second).resolves.toMatchObject({ directory: Uint8Array.of(7) });
  });
});

describe('the end of the channel', () => {
  test.each(['client', 'server'])('settles everything when the %s closes', async (side) => {
    const { client, server, clock } = connected();
    const outcomes = Promise.allSettled([
      client.publish(Uint8Array.of(1)),
      client.pull(),
      client.publish(Uint8Array.of(2)),
    ]);
    await clock.advance(0);
    if (side === 'client') client.close();
    else server.close();
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'LINK_CHANNEL_CLOSED', retryable: true } });
    }
    await expect(client.publish(Uint8Array.of(3))).rejects.toMatchObject({ code: 'LINK_CHANNEL_CLOSED' });
    await expect(client.pull()).rejects.toMatchObject({ code: 'LINK_CHANNEL_CLOSED' });
  });

  test('bytes that are no message end it', async () => {
    const { client, far, clock } = connected();
    const answer = expect(client.pull()).rejects.toMatchObject({ code: 'LINK_CHANNEL_CLOSED' });
    const sent = far.send([Uint8Array.of(0, 0, 0, 1)]).catch(() => {});
    await clock.advance(0);
    await Promise.all([answer, sent]);
  });
});

describe('a directory in parts', () => {
  const whole = directory(...Array.from({ length: 40_000 }, (_, i) => i & 0xff));
  const bytes = encodeDiscoveryMessage(whole).subarray(2);
  const parts = (requestID: bigint): DiscoveryMessage[] =>
    [...cutDirectory(bytes, { requestID, digest: sha256(bytes), partBytes: MIN_DIRECTORY_PART_BYTES })].map((body) => ({
      event: 'discoveryDirectoryPart',
      body,
    }));

  test('is asked for, and put together', async () => {
    const { client, asked, say } = connected();
    const answer = client.pull();
    for (const part of parts(1n)) await say(part);
    await expect(answer).resolves.toEqual(whole.body);
    expect(asked).toMatchObject([{ body: { requestID: 1n, newerThan: 0n } }]);
  });

  test('does not get mixed up with others, whole or in parts', async () => {
    const { client, say } = connected();
    const [first, second, third] = [client.pull(), client.pull(), client.pull()];
    const [a, b] = [parts(1n), parts(3n)];
    await say(a[0]!);
    await say(b[0]!);
    await say(directory(2));
    for (const i of [1, 2]) for (const cut of [a, b]) await say(cut[i]!);
    await expect(first).resolves.toEqual(whole.body);
    await expect(second).resolves.toMatchObject({ directory: Uint8Array.of(2) });
    await expect(third).resolves.toEqual(whole.body);
  });

  test('that nobody asked for is ignored', async () => {
    const { client, server, say } = connected();
    const answer = client.pull();
    for (const part of parts(7n)) await say(part);
    expect(server.open).toBe(true);
    await say(directory(1));
    await expect(answer).resolves.toMatchObject({ directory: Uint8Array.of(1) });
  });

  test.each<[string, string, (cut: DiscoveryMessage[]) => DiscoveryMessage[]]>([
    ['out of order', 'CLIENT_BAD_ANSWER', ([a, , c]) => [a!, c!]],
    ['twice the same', 'CLIENT_BAD_ANSWER', ([a]) => [a!, a!]],
    ['without the first', 'CLIENT_BAD_ANSWER', ([, b]) => [b!]],
    ['of two directories', 'CLIENT_BAD_ANSWER', ([a, b]) => [a!, altered(b!, { digest: new Uint8Array(32) })]],
    ['over the limit', 'CLIENT_TOO_LARGE', ([a]) => [altered(a!, { totalBytes: 1n << 40n })]],
  ])('whose parts come %s fails, and ends the channel', async (_, code, change) => {
    const { client, server, say } = connected();
    const answer = expect(client.pull()).rejects.toMatchObject({ code });
    for (const part of change(parts(1n))) await say(part);
    await answer;
    expect(server.open).toBe(false);
  });

  test('that is none, though its digest is right', async () => {
    const { client, say } = connected();
    const garbage = new Uint8Array(100).fill(255);
    const [part] = [...cutDirectory(garbage, { requestID: 1n, digest: sha256(garbage) })];
    const answer = expect(client.pull()).rejects.toMatchObject({ code: 'CLIENT_BAD_ANSWER' });
    await say({ event: 'discoveryDirectoryPart', body: part! });
    await answer;
  });

  test('of which a part is missing runs into the timeout', async () => {
    const { client, clock, say } = connected(100);
    const answer = expect(client.pull()).rejects.toMatchObject({ code: 'CLIENT_TIMEOUT' });
    await say(parts(1n)[0]!);
    await clock.advance(100);
    await answer;
  });

  test('none that is newer: null for who has one, an error for who has none', async () => {
    const { client, asked, say } = connected();
    const [newer, any] = [
      client.pullNewer(900),
      expect(client.pull()).rejects.toMatchObject({ code: 'CLIENT_NO_DIRECTORY' }),
    ];
    await say({ event: 'discoveryDirectoryPart', body: noDirectoryPart(1n) });
    await say({ event: 'discoveryDirectoryPart', body: noDirectoryPart(2n) });
    await expect(newer).resolves.toBeNull();
    await any;
    expect(asked).toMatchObject([{ body: { newerThan: 900n } }, { body: { newerThan: 0n } }]);
  });

  test('is not asked for by a client that is as deployed', async () => {
    const { clock, near, asked } = connected();
    const client = new NodeClient(near, { version: VERSION, clock, maxDirectoryBytes: 0 });
    const answer = client.pullNewer(900).catch(() => undefined);
    await clock.advance(0);
    expect(asked).toMatchObject([{ body: { requestID: 0n, maxDirectoryBytes: 0n, newerThan: 0n } }]);
    client.close();
    await answer;
  });
});

function altered(message: DiscoveryMessage, fields: Partial<DiscoveryDirectoryPart>): DiscoveryMessage {
  if (message.event !== 'discoveryDirectoryPart') throw new Error('it is no part');
  return { event: message.event, body: { ...message.body, ...fields } };
}
