import { type ClientError, type DiscoveryClient, type FullList, type WatchOptions } from '../src/index.js';
import { listing, listingOfRound, network, NOON, signed, SLOT } from './fixtures/network.js';
import { World } from './fixtures/world.js';

const { root, identities } = network(4);
const good = signed(listing(), identities);
const round = (n: number) => signed(listingOfRound(n), identities);

/** Collects what a watch gives. */
function watching(client: DiscoveryClient, options: WatchOptions = {}) {
  const seen: FullList[] = [];
  const trouble: (FullList | ClientError)[] = [];
  const done = (async () => {
    for await (const list of client.watch({ onTrouble: (what) => trouble.push(what), ...options })) seen.push(list);
  })();
  return { seen, trouble, done };
}

test('gives the held directory, then each new one, and looks when the next is due', async () => {
  const world = new World([{ directory: good }]);
  const { seen, trouble } = watching(world.client({ root }));
  await world.until(() => seen.length === 1);
  world.behaviours[0] = { directory: round(1) };
  // The random numbers are almost 1: it looks at the end of the slot and the grace of 60 s.
  await world.clock.advance((SLOT + 49) * 1000);
  expect(world.connected).toHaveLength(1);
  await world.clock.advance(1000);
  await world.until(() => seen.length === 2);
  expect(world.connected).toHaveLength(2);
  expect(seen.map(({ directory }) => directory.creation)).toEqual([NOON, NOON + SLOT]);
  expect(trouble).toEqual([]);
});

test('a directory that does not come is asked for again, ever less often, and told as trouble', async () => {
  const world = new World([{ directory: good }]);
  const { seen, trouble } = watching(world.client({ root }), { retryMs: 2000 });
  await world.until(() => seen.length === 1);
  // Nothing is verified here, so nothing but virtual time passes.
  await world.clock.advance((SLOT + 50 + 63) * 1000);
  const looks = world.connectedAt.slice(1);
  const pauses = looks.slice(1).map((at, i) => Math.round((at - looks[i]!) / 1000));
  expect(pauses).toEqual([2, 4, 8, 16, 32]);
  expect(trouble).toHaveLength(5);
  expect(trouble[0]).toMatchObject({ missedRounds: 1, directory: { creation: NOON } });
  expect(seen).toHaveLength(1);
  world.behaviours[0] = { directory: round(1) };
  await world.clock.advance(64_000);
  await world.until(() => seen.length === 2);
});

test('begins without a directory: the error is trouble, and the first directory comes when there is one', async () => {
  const world = new World([{ connection: 'refuse' }]);
  const { seen, trouble } = watching(world.client({ root }), { retryMs: 1000 });
  await world.until(() => trouble.length === 1);
  expect(trouble[0]).toMatchObject({ code: 'CLIENT_NO_GOOD_ANSWER' });
  world.behaviours[0] = { directory: good };
  await world.clock.advance(1000);
  await world.until(() => seen.length === 1);
});

test.each(['the signal', 'the client'])('%s ends it, in the middle of a pause', async (what) => {
  const world = new World([{ directory: good }]);
  const client = world.client({ root });
  const stop = new AbortController();
  const { seen, done } = watching(client, { signal: stop.signal });
  await world.until(() => seen.length === 1);
  if (what === 'the signal') stop.abort();
  else client.close();
  await world.settled(done);
  await world.clock.advance(10 * SLOT * 1000);
  expect(world.connected).toHaveLength(1);
});

test('one that never began ends too', async () => {
  const world = new World([{ directory: 'silence' }]);
  const client = world.client({ root });
  const { seen, done } = watching(client);
  await world.until(() => world.connected.length === 1);
  client.close();
  await world.settled(done);
  expect(seen).toEqual([]);
});
