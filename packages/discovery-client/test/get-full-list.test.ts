import { shortListingOf, DEFAULT_LIMITS, MIN_DIRECTORY_PART_BYTES } from '@discovery-raft/psp-envelope';
import { ClientError, fetchDirectory, verifyDirectory, type FullList } from '../src/index.js';
import {
  itemBytes,
  listing,
  listingOfRound,
  network,
  NOON,
  official,
  relayIdentity,
  sha256,
  signed,
  SLOT,
} from './fixtures/network.js';
import { World, type Behaviour } from './fixtures/world.js';

const { root, identities } = network(4);
const good = signed(listing(), identities);
const next = signed(listingOfRound(1), identities);
const old = signed(listingOfRound(-2), identities);

async function failure(promise: Promise<unknown>): Promise<ClientError> {
  return promise.then(
    () => Promise.reject(new Error('it should have failed')),
    (error: unknown) => error as ClientError,
  );
}

const codes = ({ answers }: Pick<FullList, 'answers'>): string[] => answers.map(({ code }) => code);

describe('one good node', () => {
  test('is enough: the others are not even asked', async () => {
    const world = new World([{ directory: good }, { directory: good }]);
    const list = await world.settled(world.client({ root }).getFullList(1000));
    expect(list).toMatchObject({ source: 'n0:1', ageSeconds: 10, missedRounds: 0, directory: { creation: NOON } });
    expect(list.directory.items).toHaveLength(3);
    expect(list.directory.signers).toHaveLength(4);
    expect(list.answers).toEqual([{ source: 'n0:1', code: 'good', detail: '' }]);
    expect(world.connected).toEqual(['n0']);
    await world.until(() => world.open === 0);
    // Whoever is given its bytes comes to the same judgement.
    const verdict = await verifyDirectory(await fetchDirectory(list.encoded), { root, atSeconds: NOON + 10 });
    expect(verdict).toEqual(list.directory);
  });

  test('is not asked again while no newer directory can exist', async () => {
    const world = new World([{ directory: good }]);
    const client = world.client({ root });
    await world.settled(client.getFullList(1000));
    world.clock.stepWall((SLOT - 11) * 1000);
    const list = await world.settled(client.getFullList(1000));
    expect(list).toMatchObject({ ageSeconds: SLOT - 1, answers: [] });
    expect(world.connected).toHaveLength(1);
    world.behaviours[0] = { directory: next };
    world.clock.stepWall(1000);
    await expect(world.settled(client.getFullList(1000))).resolves.toMatchObject({
      directory: { creation: NOON + SLOT },
    });
    expect(world.pulls.map(({ newerThan }) => newerThan)).toEqual([0n, BigInt(NOON)]);
  });

  test('calls at the same time share one question', async () => {
    const world = new World([{ directory: good, delayMs: 100 }]);
    const client = world.client({ root });
    const both = Promise.all([client.getFullList(1000), client.refresh(500)]);
    await world.until(() => world.connected.length > 0);
    await world.clock.advance(100);
    const [a, b] = await world.settled(both);
    expect(a.directory).toBe(b.directory);
    expect(world.connected).toEqual(['n0']);
  });
});

describe('nodes that are of no use', () => {
  const liars: readonly [string, Behaviour, string][] = [
    ['one that refuses the connection', { connection: 'refuse' }, 'unknown'],
    ['one that closes', { directory: 'close' }, 'LINK_CHANNEL_CLOSED'],
    ['one that sends garbage', { directory: 'garbage' }, 'LINK_CHANNEL_CLOSED'],
    ['one that says that it has none', { directory: 'none' }, 'noDirectory'],
    ['one whose directory has expired', { directory: signed(listingOfRound(-3), identities) }, 'expired'],
    ['one whose directory begins later', { directory: next }, 'notYetValid'],
    [
      'one whose directory has too few signatures',
      { directory: signed(listing(), identities.slice(0, 2)) },
      'quorumMissing',
    ],
    [
      'one whose directory strangers signed',
      {
        directory: signed(
          listing(),
          [1, 2, 3, 4].map((i) => official(`stranger ${i}`, 'discovery')),
        ),
      },
      'quorumMissing',
    ],
    [
      'one that mixes two directories',
      { directory: { ...good, directory: listingOfRound(0, { items: [] }) } },
      'quorumMissing',
    ],
    [
      'one that repeats a signature',
      { directory: { ...good, signatures: [0, 0, 0, 1].map((i) => good.signatures[i]!) } },
      'quorumMissing',
    ],
    [
      'one that cuts the listing off',
      { directory: { ...good, directory: good.directory.subarray(0, good.directory.length - 10) } },
      'quorumMissing',
    ],
    [
      'one whose items are no items',
      { directory: signed(listing({ items: [Uint8Array.of(255)] }), identities) },
      'malformed',
    ],
    [
      'one that lists somebody twice',
      { directory: signed(listing({ items: [1, 2].map(() => itemBytes(relayIdentity('ada'))) }), identities) },
      'unsorted',
    ],
  ];

  test.each(liars)('%s: the next one is asked at once', async (_, behaviour, code) => {
    const world = new World([behaviour, { directory: good }]);
    const list = await world.settled(world.client({ root }).getFullList(1000));
    expect(list).toMatchObject({ source: 'n1:1' });
    expect(codes(list)).toEqual([code, 'good']);
    expect(world.clock.now()).toBe(0);
  });

  test('all of them: the error lists what each one said', async () => {
    const world = new World(liars.map(([, behaviour]) => behaviour));
    const error = await world.settled(failure(world.client({ root }).getFullList(1000)));
    expect(error).toBeInstanceOf(ClientError);
    expect(error).toMatchObject({ code: 'CLIENT_NO_GOOD_ANSWER', retryable: true });
    expect(error.details.answers!.map(({ code }) => code)).toEqual(liars.map(([, , code]) => code));
    expect(error.details.answers!.map(({ source }) => source)).toEqual(liars.map((_, i) => `n${i}:1`));
    expect(error.details.answers![6]!.detail).toBe('2 of 3 signatures of nodes of trust root 1');
    await world.until(() => world.open === 0);
  });

  test.each<[string, Behaviour]>([
    ['a dead one', { connection: 'hang' }],
    ['a silent one', { directory: 'silence' }],
    ['a slow one', { directory: good, delayMs: 700 }],
  ])('%s costs a stagger, and is let go of when another has answered', async (_, behaviour) => {
    const world = new World([behaviour, { directory: good }]);
    const asked = world.client({ root, staggerMs: 250 }).getFullList(10_000);
    await world.until(() => world.connected.length === 1);
    await world.clock.advance(249);
    expect(world.connected).toHaveLength(1);
    await world.clock.advance(1);
    const list = await world.settled(asked);
    expect(codes(list)).toEqual(['pending', 'good']);
    expect(world.clock.now()).toBe(250);
    await world.until(() => world.open === 0);
  });

  test('at most so many are asked at a time, and the deadline ends it', async () => {
    const world = new World(Array.from({ length: 6 }, () => ({ directory: 'silence' as const })));
    const asked = failure(world.client({ root, staggerMs: 10, maxConcurrent: 3 }).getFullList(500));
    await world.until(() => world.connected.length === 1);
    await world.clock.advance(499);
    expect(world.connected).toEqual(['n0', 'n1', 'n2']);
    await world.clock.advance(1);
    const error = await world.settled(asked);
    expect(error.code).toBe('CLIENT_NO_GOOD_ANSWER');
    expect(error.details.answers!.map(({ code }) => code)).toEqual(['pending', 'pending', 'pending']);
    await world.until(() => world.open === 0);
  });

  test('nobody may stretch the time of a caller who has less of it', async () => {
    const world = new World([{ directory: 'silence' }]);
    const client = world.client({ root });
    const long = failure(client.getFullList(10_000));
    const short = failure(client.getFullList(300));
    await world.until(() => world.connected.length === 1);
    await world.clock.advance(300);
    expect(await world.settled(short)).toMatchObject({ code: 'CLIENT_NO_GOOD_ANSWER' });
    world.behaviours[0] = { directory: good };
    client.close();
    expect(await world.settled(long)).toMatchObject({ code: 'CLIENT_CLOSED', retryable: false });
  });

  test('a caller with more time asks again when the questions that it shared had too little', async () => {
    const world = new World([{ directory: 'silence' }]);
    const client = world.client({ root });
    const short = failure(client.getFullList(300));
    const long = client.getFullList(10_000);
    await world.until(() => world.connected.length === 1);
    world.behaviours[0] = { directory: good };
    await world.clock.advance(300);
    await world.settled(short);
    await expect(world.settled(long)).resolves.toMatchObject({ source: 'n0:1' });
  });
});

describe('stale answers', () => {
  test('a node that keeps an old directory does not win: all are asked, and the newest is taken', async () => {
    const world = new World([{ directory: old }, { connection: 'hang' }, { directory: good, delayMs: 300 }]);
    const asked = world.client({ root, newestWindowMs: 1000 }).getFullList(10_000);
    await world.until(() => world.connected.length === 3);
    await world.clock.advance(300);
    const list = await world.settled(asked);
    expect(list).toMatchObject({ source: 'n2:1', missedRounds: 0 });
    expect(codes(list)).toEqual(['good', 'pending', 'good']);
  });

  test('when nobody has a newer one, the old one is given after the window, and says how old it is', async () => {
    const world = new World([{ directory: old }, { directory: 'silence' }]);
    const asked = world.client({ root, newestWindowMs: 1000 }).getFullList(10_000);
    await world.until(() => world.connected.length === 2);
    await world.clock.advance(1000);
    const list = await world.settled(asked);
    expect(list).toMatchObject({ source: 'n0:1', missedRounds: 1, ageSeconds: 2 * SLOT + 11 });
  });

  test('a window that is open at the deadline does not cost the answer', async () => {
    const world = new World([{ directory: old }, { directory: 'silence' }]);
    const asked = world.client({ root, newestWindowMs: 5000 }).getFullList(100);
    await world.until(() => world.connected.length === 2);
    await world.clock.advance(100);
    await expect(world.settled(asked)).resolves.toMatchObject({ source: 'n0:1' });
  });
});

describe('what was seen', () => {
  test('nothing older comes in, also not as the only answer; the held one is given as long as it holds', async () => {
    const world = new World([{ directory: good }]);
    const client = world.client({ root });
    await world.settled(client.getFullList(1000));
    world.behaviours[0] = { directory: old, extensions: false };
    const list = await world.settled(client.refresh(1000));
    expect(list).toMatchObject({ directory: { creation: NOON }, source: 'n0:1' });
    expect(list.answers).toMatchObject([{ code: 'rolledBack' }]);
    world.clock.stepWall(3 * SLOT * 1000);
    world.behaviours[0] = { directory: 'none' };
    const error = await world.settled(failure(client.refresh(1000)));
    expect(error.details.answers).toMatchObject([{ code: 'noDirectory' }]);
  });

  test('two directories of one round: the second is refused, and said loudly', async () => {
    const world = new World([{ directory: good }]);
    const client = world.client({ root });
    await world.settled(client.getFullList(1000));
    world.behaviours[0] = { directory: signed(listing({ items: [] }), identities), extensions: false };
    const list = await world.settled(client.refresh(1000));
    expect(list.answers).toMatchObject([{ code: 'conflicting' }]);
    expect(list.directory.items).toHaveLength(3);
    expect(world.warnings).toContain('two directories of one round carry a quorum');
  });

  test('freeze: nodes that say that there is nothing newer cannot hide how old it is', async () => {
    const world = new World([{ directory: good }, { directory: good }]);
    const client = world.client({ root });
    await world.settled(client.getFullList(1000));
    world.clock.stepWall(2 * SLOT * 1000);
    const list = await world.settled(client.getFullList(1000));
    expect(list).toMatchObject({ missedRounds: 1, ageSeconds: 2 * SLOT + 10 });
    expect(codes(list)).toEqual(['nothingNewer', 'nothingNewer']);
  });
});

describe('large directories', () => {
  const many = Array.from({ length: 150 }, (_, i) => relayIdentity(`r${i}`)).sort();
  const bytes = listing({ items: many.map((identity) => itemBytes(identity)) });
  const full = signed(bytes, identities);
  const short = signed(shortListingOf(bytes, { sha256, maxBytes: 8000 })!.bytes, identities);
  const limits = { ...DEFAULT_LIMITS, maxMessageBytes: MIN_DIRECTORY_PART_BYTES + 200 };

  test('come in parts', async () => {
    const world = new World([{ directory: full, short, limits }]);
    const list = await world.settled(world.client({ root, limits }).getFullList(1000));
    expect(list.directory).toMatchObject({ complete: true, fullItems: 150, items: { length: 150 } });
  });

  test('over the limit of this client are not taken', async () => {
    const world = new World([{ directory: full, short, limits }]);
    const maxDirectoryBytes = bytes.length;
    const error = await world.settled(failure(world.client({ root, limits, maxDirectoryBytes }).getFullList(1000)));
    expect(error.details.answers).toMatchObject([{ code: 'noDirectory' }]);
  });

  test('of a node without extensions are short, and say so; a complete one is preferred', async () => {
    const deployed: Behaviour = { directory: full, short, limits, extensions: false };
    const world = new World([deployed, { directory: full, limits }]);
    const list = await world.settled(world.client({ root, limits }).getFullList(1000));
    expect(list).toMatchObject({ source: 'n1:1', directory: { complete: true } });
    expect(codes(list)).toEqual(['good', 'good']);
    const alone = new World([deployed, { directory: 'silence' }]);
    const asked = alone.client({ root, limits, newestWindowMs: 200 }).getFullList(1000);
    await alone.until(() => alone.connected.length === 2);
    await alone.clock.advance(200);
    const shortList = await alone.settled(asked);
    expect(shortList).toMatchObject({ directory: { complete: false, fullItems: 150, fullDigest: sha256(bytes) } });
  });

  test('the short one of a round does not keep the complete one of the same round out, nor push it out', async () => {
    const deployed: Behaviour = { directory: full, short, limits, extensions: false };
    const world = new World([deployed]);
    const client = world.client({ root, limits });
    await expect(world.settled(client.getFullList(1000))).resolves.toMatchObject({ directory: { complete: false } });
    world.behaviours[0] = { directory: full, limits };
    // Not asked for at every call: where only deployed nodes are, nobody has it.
    await expect(world.settled(client.getFullList(1000))).resolves.toMatchObject({ directory: { complete: false } });
    await world.clock.advance(60_000);
    await expect(world.settled(client.getFullList(1000))).resolves.toMatchObject({ directory: { complete: true } });
    world.behaviours[0] = deployed;
    const list = await world.settled(client.refresh(1000));
    expect(list.directory.complete).toBe(true);
    expect(codes(list)).toEqual(['good']);
  });
});
