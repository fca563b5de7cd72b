import { existsSync, writeFileSync } from 'node:fs';
import { create } from '@bufbuild/protobuf';
import { SignedTrustRootSchema, type SignedTrustRoot } from '@discovery-raft/protocol';
import { encodeTrustRoot, encodeTrustRoots, nextTrustRoot, type TrustRootChain } from '@discovery-raft/psp-envelope';
import { chainFrom, extendChain, verifyDirectory } from '../src/index.js';
import { testFolder } from './fixtures/folder.js';
import { listingOfRound, network, NOON, official, signature, signed, SLOT, type Official } from './fixtures/network.js';
import { World } from './fixtures/world.js';

const { root, identities } = network(3);
const FOURTH = official('node 3', 'discovery');
const ALL = [...identities, FOURTH];
/** Four nodes from NOON on. */
let second: SignedTrustRoot;
/** The fourth alone takes over a slot later. */
let third: SignedTrustRoot;
let chain: TrustRootChain;

/** What the listing of a round says of its root. */
const claim = (round: number): { rootVersion?: bigint } => (round < 0 ? {} : { rootVersion: BigInt(round + 2) });

const folder = testFolder();

function next(
  after: TrustRootChain,
  activation: number,
  nodes: readonly Official[],
  signers: readonly Official[],
): SignedTrustRoot {
  const document = nextTrustRoot(after.newest.document, after.newest.digest, {
    activation,
    nodes: nodes.map(({ identity }, i) => {
      const fingerprint = `${ALL.findIndex((one) => one.identity === identity)}`.repeat(64);
      return { identity, endpoint: { fingerprint, host: '192.0.2.1', port: 9100 + i } };
    }),
  });
  const bytes = encodeTrustRoot(document);
  return create(SignedTrustRootSchema, { root: bytes, signatures: signers.map((signer) => signature(bytes, signer)) });
}

beforeAll(async () => {
  second = next(chainFrom(root), NOON, ALL, [identities[0]!, identities[2]!, FOURTH]);
  const two = await extendChain(chainFrom(root), [second]);
  third = next(two.chain, NOON + SLOT, [FOURTH], ALL);
  chain = (await extendChain(two.chain, [third])).chain;
  expect(chain.newest.document.version).toBe(3);
});

describe('a directory', () => {
  const verdict = async (round: number, signers: readonly Official[], atSeconds: number) => {
    const judged = await verifyDirectory(signed(listingOfRound(round, claim(round)), signers), {
      root: chain,
      atSeconds,
    });
    return judged.ok ? judged.signers.length : judged.code;
  };

  test('counts by the root in force when it was created', async () => {
    expect(await verdict(-1, identities, NOON)).toBe(3);
    expect(await verdict(0, ALL.slice(1), NOON)).toBe(3);
    expect(await verdict(0, identities.slice(0, 2), NOON)).toBe('quorumMissing');
    expect(await verdict(1, [FOURTH], NOON + SLOT)).toBe(1);
    expect(await verdict(1, identities, NOON + SLOT)).toBe('quorumMissing');
  });

  test('of nodes that were replaced an hour ago is refused, whenever it says that it was made', async () => {
    expect(await verdict(-1, identities, NOON + 1)).toBe(3);
    const old = signed(listingOfRound(-1, { expiration: BigInt(NOON + 1_000_000) }), identities);
    expect(await verifyDirectory(old, { root: chain, atSeconds: NOON + 3600 })).toMatchObject({ ok: true });
    expect(await verifyDirectory(old, { root: chain, atSeconds: NOON + 3601 })).toMatchObject({
      code: 'rootSuperseded',
    });
  });

  test('of a newer root says so', async () => {
    const judged = await verifyDirectory(signed(listingOfRound(0, claim(0)), [FOURTH]), {
      root: chainFrom(root),
      atSeconds: NOON,
    });
    expect(judged).toMatchObject({
      code: 'quorumMissing',
      detail: 'it is of trust root 2, and 1 is the newest known here',
    });
  });
});

describe('a client that was built with the first root', () => {
  test('walks to the newest when a directory shows that it lacks one, and keeps it', async () => {
    const directory = signed(listingOfRound(1, claim(1)), [FOURTH]);
    const world = new World([{ directory, roots: [second, third] }], SLOT);
    const cachePath = folder.path('kept');
    const client = world.client({ root, cachePath });
    expect(await world.settled(client.getFullList(5000))).toMatchObject({ directory: { signers: [FOURTH.identity] } });
    expect(client.roots.newest.document.version).toBe(3);

    // It never goes back: another client of the same files knows the newest root without asking anybody.
    const offline = new World([{ connection: 'refuse' }], SLOT);
    const again = offline.client({ root, cachePath });
    expect(await offline.settled(again.getFullList(5000))).toMatchObject({ source: 'cache' });
    expect(again.roots.newest.document.version).toBe(3);
    expect(await again.offerRoots([second])).toBe(0);
  });

  test('believes no root that the nodes of the one before did not sign, and no directory by it', async () => {
    const forged = next(chainFrom(root), NOON, [FOURTH], [FOURTH, identities[0]!]);
    const world = new World([{ directory: signed(listingOfRound(1, claim(1)), [FOURTH]), roots: [forged] }], SLOT);
    const client = world.client({ root });
    const failed = client.getFullList(5000).catch((error: unknown) => error);
    expect(await world.settled(failed)).toMatchObject({ code: 'CLIENT_NO_GOOD_ANSWER' });
    expect(client.roots.newest.document.version).toBe(1);
    expect(world.warnings.join()).toContain('a trust root is not to be believed');
  });

  test('looks for newer roots once in a while, and then lets go of what the old nodes signed', async () => {
    const world = new World([{ directory: signed(listingOfRound(0), identities), roots: [] }], SLOT);
    const client = world.client({ root, rootsIntervalMs: 1000 });
    await world.settled(client.getFullList(5000));
    expect(client.roots.newest.document.version).toBe(1);
    // They had been replaced by then, and should not have signed; the client cannot know.
    world.behaviours[0] = { ...world.behaviours[0], roots: [second, third] };
    await world.clock.advance(1000);
    await world.settled(client.refresh(5000));
    await world.until(() => client.roots.newest.document.version === 3);
    world.behaviours[0] = { directory: signed(listingOfRound(1, claim(1)), [FOURTH]) };
    expect(await world.settled(client.getFullList(5000))).toMatchObject({ directory: { signers: [FOURTH.identity] } });
  });

  test('goes on with a node that does not know the question', async () => {
    const good = signed(listingOfRound(0), identities);
    const world = new World([{ directory: good, extensions: false }]);
    const client = world.client({ root, rootsIntervalMs: 1000 });
    expect(await world.settled(client.getFullList(5000))).toMatchObject({ directory: { creation: NOON } });
    await world.until(() => world.connected.length === 2 && world.open === 0);
  });

  test('begins anew when its file of roots is damaged', async () => {
    const cachePath = folder.path('damaged');
    writeFileSync(`${cachePath}.roots`, Buffer.concat([encodeTrustRoots([third])]));
    const world = new World([{ directory: signed(listingOfRound(-1), identities) }]);
    const client = world.client({ root, cachePath });
    expect(await world.settled(client.getFullList(5000))).toMatchObject({ directory: { creation: NOON - SLOT } });
    expect(world.warnings.join()).toContain('the kept trust roots are damaged');
    await client.offerRoots([second]);
    expect(existsSync(`${cachePath}.roots`)).toBe(true);
    const next = world.client({ root, cachePath });
    await world.settled(next.getFullList(5000));
    expect(next.roots.newest.document.version).toBe(2);
  });

  test('may be built with a later root', async () => {
    const world = new World([{ directory: signed(listingOfRound(1, claim(1)), [FOURTH]), roots: [third] }], SLOT);
    const client = world.client({ root: chain.version(2)!.document });
    expect(await world.settled(client.getFullList(5000))).toMatchObject({ directory: { signers: [FOURTH.identity] } });
  });
});
