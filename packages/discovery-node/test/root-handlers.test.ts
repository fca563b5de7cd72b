import { toBinary } from '@bufbuild/protobuf';
import { SignedTrustRootSchema } from '@discovery-raft/protocol';
import { decodeTrustRoot, decodeTrustRoots, encodeTrustRoot, nextTrustRoot } from '@discovery-raft/psp-envelope';
import { getRoots, publishRoot, signRoot } from '../src/admin/root-handlers.js';
import type { DiscoveryNode } from '../src/index.js';
import { SLOT_SECONDS, TestCluster } from './fixtures/cluster.js';
import { NOON, official } from './fixtures/people.js';
import { endpointOf, successor } from './fixtures/trust-roots.js';

const NEW = official('node new', 'discovery');
let cluster: TestCluster;
let node: DiscoveryNode;

beforeEach(async () => {
  cluster = new TestCluster(3);
  await cluster.start();
  await cluster.elected();
  node = cluster.nodes[0]!;
});

afterEach(() => cluster.stop());

/** The next root with these nodes, as an operator sends it. */
function proposal(
  activation: number,
  identities = cluster.identities.map(({ identity }) => identity),
  chain = node.roots.chain,
): string {
  const nodes = identities.map((identity) => ({ identity, endpoint: endpointOf(identity) }));
  const document = nextTrustRoot(chain.newest.document, chain.newest.digest, { activation, nodes });
  return Buffer.from(encodeTrustRoot(document)).toString('base64');
}

test('a root that follows is signed, again when asked again, and another one is not', async () => {
  const base64 = proposal(NOON);
  const signed = await signRoot(node, base64);
  expect(signed).toMatchObject({ ok: true, version: 2, activation: NOON });
  expect(await signRoot(node, base64)).toEqual(signed);
  expect(getRoots(node, NOON - 600).signed).toEqual({ version: 2, activation: NOON });
  expect(await signRoot(node, proposal(NOON + SLOT_SECONDS))).toMatchObject({ ok: false, code: 'alreadyPromised' });
});

test('what must not be signed is refused with a reason', async () => {
  const skipped = { ...decodeTrustRoot(Buffer.from(proposal(NOON), 'base64')), version: 3 };
  const reasons = [
    await signRoot(node, 'AAAA'),
    await signRoot(node, Buffer.from(encodeTrustRoot(skipped)).toString('base64')),
    await signRoot(node, proposal(NOON + 1)),
    await signRoot(node, proposal(NOON, [`${NEW.identity}x`])),
    await signRoot(node, proposal(NOON - SLOT_SECONDS)),
  ].map((answer) => (answer.ok ? 'signed' : answer.code));
  expect(reasons).toEqual(['malformed', 'versionMissing', 'wrongActivation', 'unusable', 'tooLate']);
  expect(node.consensus.rootPromise).toBeNull();
});

test('a root on top of one that is not in force yet is not signed', async () => {
  const signed = await successor(
    node.roots.chain,
    NOON,
    cluster.identities.map(({ identity }) => identity),
    cluster.identities,
  );
  const published = await publishRoot(node, Buffer.from(toBinary(SignedTrustRootSchema, signed)).toString('base64'));
  expect(published).toEqual({ ok: true, version: 2, activation: NOON, isNew: true });
  expect(await signRoot(node, proposal(NOON + SLOT_SECONDS))).toMatchObject({ code: 'notInForce' });
  cluster.day.jumpTo(NOON);
  expect(await signRoot(node, proposal(NOON + SLOT_SECONDS))).toMatchObject({ ok: true, version: 3 });
});

test('a published root is told to all, and what is too little is refused', async () => {
  const names = [...cluster.identities.map(({ identity }) => identity), NEW.identity];
  const base64 = async (signers: Parameters<typeof successor>[3]): Promise<string> => {
    const signed = await successor(node.roots.chain, NOON, names, signers);
    return Buffer.from(toBinary(SignedTrustRootSchema, signed)).toString('base64');
  };
  const [a, b] = cluster.identities;
  expect(await publishRoot(node, '////')).toMatchObject({ code: 'malformed' });
  expect(await publishRoot(node, await base64([a!, NEW]))).toMatchObject({ code: 'quorumMissing' });
  expect(await publishRoot(node, await base64([a!, b!]))).toMatchObject({ code: 'newNodeUnsigned' });
  const good = await base64([a!, b!, NEW]);
  expect(await publishRoot(node, good)).toMatchObject({ ok: true, isNew: true });
  expect(await publishRoot(node, good)).toMatchObject({ ok: true, isNew: false });
  await cluster.until(() => cluster.nodes.every(({ roots }) => roots.chain.newest.document.version === 2));
  const { roots } = getRoots(cluster.nodes[2]!, NOON);
  expect(decodeTrustRoots(Buffer.from(roots, 'base64'))).toHaveLength(1);
});

test('a client may ask for roots', async () => {
  const { client, serverSide } = cluster.connect(node);
  expect(await cluster.settle(client.pullTrustRoots(1))).toEqual([]);
  expect(serverSide.open).toBe(true);
  client.close();
});
