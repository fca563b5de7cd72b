import { seededRandom } from '@discovery-raft/raft-core';
import { fingerprintOfCredentials, LinkKeeper, type LinkPeer, type PeerLink } from '../src/index.js';
import { credentialsOf } from './fixtures/credentials.js';
import { ended, realClock, TestNetwork } from './fixtures/network.js';

let network: TestNetwork;

beforeEach(() => {
  network = new TestNetwork();
});

afterEach(() => network.close());

/** A node over TLS: a listener and a keeper, and the links that it announces. */
async function node(name: string) {
  const credentials = credentialsOf(name);
  const self = fingerprintOfCredentials(credentials);
  const keeper = new LinkKeeper({
    self,
    credentials,
    peers: [],
    clock: realClock,
    random: seededRandom(1),
    minBackoffMs: 10,
    maxBackoffMs: 50,
  });
  const links: PeerLink[] = [];
  let announced: (link: PeerLink) => void = () => {};
  keeper.onLink((_, link) => {
    links.push(link);
    announced(link);
  });
  network.onEnd(() => keeper.close());
  const { port, listener } = await network.listen({
    credentials,
    trusted: (fingerprint) => keeper.isPeer(fingerprint),
    onConnection: (connection) => keeper.accept(connection),
  });
  const peer: LinkPeer = { id: name, fingerprint: self, host: '127.0.0.1', port };
  const nextLink = (): Promise<PeerLink> => new Promise((resolve) => (announced = resolve));
  return { keeper, listener, links, peer, nextLink };
}

/** Sends until what was sent on both streams has arrived. */
async function speaks(from: PeerLink, to: PeerLink): Promise<void> {
  const got = (channel: PeerLink['main']): Promise<number> =>
    new Promise((resolve) => channel.onPiece((piece) => resolve(piece.length)));
  const arrived = Promise.all([got(to.main), got(to.bulk)]);
  await Promise.all([from.main.send([new Uint8Array(10)]), from.bulk.send([new Uint8Array(20)])]);
  expect(await arrived).toEqual([10, 20]);
}

test('two nodes over TLS: one link, made anew when it breaks', async () => {
  const [a, b] = [await node('ada'), await node('bob')];
  let up = Promise.all([a.nextLink(), b.nextLink()]);
  a.keeper.setPeers([b.peer]);
  b.keeper.setPeers([a.peer]);
  let [atA, atB] = await up;
  await speaks(atA, atB);
  await speaks(atB, atA);
  up = Promise.all([a.nextLink(), b.nextLink()]);
  const gone = Promise.all([ended(atA), ended(atB)]);
  atB.close();
  await gone;
  [atA, atB] = await up;
  await speaks(atA, atB);
  expect([a.keeper.state('bob')?.status, b.keeper.state('ada')?.status]).toEqual(['up', 'up']);
});

test('a node that does not know the other is dialled in vain, until it learns of it', async () => {
  const [a, b] = [await node('ada'), await node('bob')];
  a.keeper.setPeers([b.peer]);
  const refusals = (): number => b.listener.counters.refused.LINK_UNTRUSTED_PEER ?? 0;
  while (refusals() < 2) await new Promise((resolve) => setImmediate(resolve));
  expect(a.keeper.state('bob')).toMatchObject({ status: expect.stringMatching(/backoff|connecting/) as string });
  expect([a.links, b.links]).toEqual([[], []]);
  const up = Promise.all([a.nextLink(), b.nextLink()]);
  b.keeper.setPeers([a.peer]);
  const [atA, atB] = await up;
  await speaks(atA, atB);
});

test('a heartbeat does not wait for a snapshot', async () => {
  const [a, b] = [await node('ada'), await node('bob')];
  const up = Promise.all([a.nextLink(), b.nextLink()]);
  a.keeper.setPeers([b.peer]);
  b.keeper.setPeers([a.peer]);
  const [atA, atB] = await up;
  const order: string[] = [];
  const both = new Promise<void>((resolve) => {
    let bulk = 0;
    atB.main.onPiece(() => order.push('heartbeat'));
    atB.bulk.onPiece(() => {
      if (++bulk === 1) order.push('first of the snapshot');
      if (bulk < 200) return;
      order.push('last of the snapshot');
      resolve();
    });
  });
  const snapshot = atA.bulk.send(Array.from({ length: 200 }, () => new Uint8Array(65_535)));
  await Promise.resolve();
  const heartbeat = atA.main.send([Uint8Array.of(1)]);
  await Promise.all([snapshot, heartbeat, both]);
  expect(order).toEqual(['first of the snapshot', 'heartbeat', 'last of the snapshot']);
});
