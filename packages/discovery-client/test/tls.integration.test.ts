import { hash } from 'node:crypto';
import { toBinary } from '@bufbuild/protobuf';
import { DiscoveryDirectorySchema, type DiscoveryDirectory } from '@discovery-raft/protocol';
import {
  answerPull,
  decodeDiscoveryBody,
  DEFAULT_LIMITS,
  discoveryMessage,
  PUBLISH_CODES,
} from '@discovery-raft/psp-envelope';
import {
  fingerprintOfCredentials,
  generateLinkCredentials,
  MessageChannel,
  newChannelCounters,
  PspListener,
  type ByteChannel,
  type LinkCredentials,
} from '@discovery-raft/psp-link';
import { silentLogger } from '@discovery-raft/raft-core';
import { DiscoveryClient, type NodeAddress } from '../src/index.js';
import { itemBytes, listing, network, RELAYS, signed } from './fixtures/network.js';

// Real sockets and real time: certificates of the links and of the nodes must hold today.
const now = Math.floor(Date.now() / 1000);
const { root, identities } = network(4, { notBefore: now - 3600, notAfter: now + 3600 });
const dates = { creation: BigInt(now - 10), expiration: BigInt(now + 2700) };
const small = signed(listing(dates), identities);
const many = Array.from({ length: 10_000 }, (_, i) => `xpx.onion.node.${String(i).padStart(32, '0')}`);
const large = signed(listing({ ...dates, items: many.map((identity) => itemBytes(identity)) }), identities);

let credentials: LinkCredentials;
let listeners: PspListener[] = [];

beforeAll(async () => {
  credentials = await generateLinkCredentials({ notBefore: now - 3600, notAfter: now + 3600, keyBits: 2048 });
}, 60_000);

afterEach(async () => {
  await Promise.all(listeners.map((listener) => listener.close()));
  listeners = [];
});

/** Serves a directory on a stream, and confirms publishes. */
function serve(stream: ByteChannel, directory: DiscoveryDirectory): void {
  const body = toBinary(DiscoveryDirectorySchema, directory);
  const full = { body, digest: hash('sha256', body, 'buffer'), creation: now - 10 };
  const channel = new MessageChannel(stream, {
    limits: DEFAULT_LIMITS,
    logger: silentLogger,
    counters: newChannelCounters(),
    receive: (message) => {
      const asked = decodeDiscoveryBody(message.event, message.body);
      void (async () => {
        if (asked.event === 'publishToDiscovery') {
          const { requestID } = asked.body;
          await channel.send(discoveryMessage('publishToDiscoveryResult', { requestID, code: PUBLISH_CODES.accepted }));
        } else if (asked.event === 'pullDiscovery') {
          const offer = { full, short: () => null };
          for (const answer of answerPull(asked.body, offer, { limits: DEFAULT_LIMITS })) {
            await channel.sendEncoded(answer.event, ...answer.body);
          }
        }
      })().catch(() => channel.close());
    },
  });
}

async function node(directory: DiscoveryDirectory): Promise<NodeAddress> {
  const listener = await PspListener.listen({
    host: '127.0.0.1',
    port: 0,
    credentials,
    trusted: () => false,
    onConnection: (connection) => connection.onStream((stream) => serve(stream, directory)),
  });
  listeners.push(listener);
  return { host: '127.0.0.1', port: listener.port, fingerprint: fingerprintOfCredentials(credentials) };
}

test('a directory is pulled over TLS, anonymously', async () => {
  const client = new DiscoveryClient({ root, nodes: [await node(small)] });
  const list = await client.getFullList(10_000);
  expect(list.directory.items.map(({ identity }) => identity)).toEqual(RELAYS);
  expect(list).toMatchObject({ missedRounds: 0, directory: { signers: { length: 4 } } });
  expect(listeners[0]!.counters).toMatchObject({ connectionsAnonymous: 1 });
});

test('one that no message can hold comes in parts', async () => {
  expect(large.directory.length).toBeGreaterThan(DEFAULT_LIMITS.maxMessageBytes);
  const client = new DiscoveryClient({ root, nodes: [await node(large)] });
  const { directory } = await client.getFullList(20_000);
  expect(directory).toMatchObject({ complete: true, fullItems: 10_000, items: { length: 10_000 } });
});

test('a packet is published and confirmed', async () => {
  const client = new DiscoveryClient({ root, nodes: [await node(small)] });
  await expect(client.publish(Uint8Array.of(1, 2, 3), 10_000)).resolves.toMatchObject({ status: 'accepted' });
});

test('another node than the expected one, and one that is not there, make way for the next', async () => {
  const good = await node(small);
  const impostor = { ...(await node(small)), fingerprint: '00'.repeat(32) };
  const gone = await node(small);
  await listeners.pop()!.close();
  const client = new DiscoveryClient({ root, nodes: [good, gone, impostor], random: { next: () => 0.999_999 } });
  const first = await client.getFullList(10_000);
  expect(first.answers.map(({ code }) => code)).toEqual(['good']);
  const turned = new DiscoveryClient({ root, nodes: [gone, impostor, good], random: { next: () => 0.999_999 } });
  const list = await turned.getFullList(10_000);
  expect(list.answers.map(({ code }) => code)).toEqual(['LINK_UNREACHABLE', 'LINK_UNTRUSTED_PEER', 'good']);
});
