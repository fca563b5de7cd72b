import { TrustRootChain, firstTrustRoot } from '@discovery-raft/psp-envelope';
import { pkiRootCrypto, type DiscoveryNode } from '../src/index.js';
import { SLOT_SECONDS, TestCluster } from './fixtures/cluster.js';
import { AUTHORITIES, DATES, itemBytes, NOON, official, packetOf, relay } from './fixtures/people.js';
import { successor } from './fixtures/trust-roots.js';

const ADA = relay('ada');
const [FIRST, SECOND, THIRD] = [NOON, NOON + SLOT_SECONDS, NOON + 2 * SLOT_SECONDS];
const NEW = official('node new', 'discovery');
let cluster: TestCluster;

beforeEach(async () => {
  cluster = new TestCluster(3);
  await cluster.start();
  await cluster.elected();
});

afterEach(async () => {
  await cluster.stop();
});

async function publishEverywhere(): Promise<void> {
  for (const node of cluster.nodes) {
    const { client } = cluster.connect(node);
    expect(await cluster.settle(client.publish(packetOf(ADA)))).toMatchObject({ code: 'accepted' });
    client.close();
  }
}

/** A root with these nodes from `activation` on, signed as the rules ask, given to one node, and learnt by all. */
async function publishRoot(activation: number, identities: readonly string[], signers: readonly DiscoveryNode[]) {
  const { chain } = cluster.nodes[0]!.roots;
  const isNew =
    identities.includes(NEW.identity) && !chain.newest.document.nodes.some(({ identity }) => identity === NEW.identity);
  const signed = await successor(chain, activation, identities, [...signers, ...(isNew ? [NEW] : [])]);
  const step = await cluster.nodes[1]!.roots.offer([signed], 'the operator');
  expect(step.refused).toBeNull();
  const { version } = step.chain.newest.document;
  await cluster.until(() => cluster.nodes.every(({ roots }) => roots.chain.newest.document.version === version));
}

function servers(): readonly string[] {
  const { servers: all } = cluster.leader!.raft.getConfiguration().configuration;
  return all.map(({ id, suffrage }) => `${suffrage} ${id}`).sort();
}

async function signersOf(node: DiscoveryNode): Promise<number> {
  return (await node.directory())?.directory.signatures.length ?? 0;
}

test('a fourth node is signed in, receives the list before its root is in force, and then signs with the others', async () => {
  await publishEverywhere();
  await cluster.round(FIRST);
  const three = cluster.nodes;
  await publishRoot(THIRD, [...three.map(({ identity }) => identity), NEW.identity], three.slice(0, 2));
  const fourth = await cluster.join(NEW);
  await cluster.until(() => servers().includes(`nonvoter ${NEW.identity}`));
  await cluster.round(SECOND);
  expect(await signersOf(three[0]!)).toBe(3);
  expect(fourth.list.get(ADA.identity)).toHaveLength(1);

  await cluster.round(THIRD);
  expect(await signersOf(fourth)).toBe(4);
  await cluster.until(() => servers().includes(`voter ${NEW.identity}`));
  expect(fourth.status().roots).toMatchObject({ inForce: 2, newest: 2, nodes: 4 });

  // A client that was built with the first root follows the chain that any node hands out.
  const { client } = cluster.connect(fourth);
  const roots = await cluster.settle(client.pullTrustRoots(1));
  const crypto = pkiRootCrypto();
  const { chain } = await TrustRootChain.from(firstTrustRoot(cluster.root), crypto.sha256).extend(roots, crypto);
  expect(chain.newest.document.version).toBe(2);
});

test('a leader that is removed hands over before its time is up, leaves Raft after it, and hears that it is out', async () => {
  await publishEverywhere();
  const leader = await cluster.elected();
  const others = cluster.nodes.filter((node) => node !== leader);
  const removed = jest.fn();
  leader.rootService.onRemoved(removed);
  await publishRoot(
    FIRST,
    others.map(({ identity }) => identity),
    others,
  );
  await cluster.until(() => cluster.leader !== undefined && cluster.leader !== leader);
  cluster.day.jumpTo(FIRST);
  await cluster.until(async () => (await others[0]!.directory())?.creation === FIRST);
  await cluster.until(async () => (await others[1]!.directory())?.creation === FIRST);
  expect(await signersOf(others[0]!)).toBe(2);
  await cluster.until(
    () =>
      servers().join() ===
      others
        .map(({ identity }) => `voter ${identity}`)
        .sort()
        .join(),
  );
  await cluster.until(() => removed.mock.calls.length > 0 || leader.raft.state === 'shutdown');
});

test('a node takes the place of another in one root', async () => {
  await publishEverywhere();
  const leader = await cluster.elected();
  const [gone, stays] = cluster.nodes.filter((node) => node !== leader);
  const names = [leader, stays!].map(({ identity }) => identity);
  await publishRoot(SECOND, [...names, NEW.identity], [leader, stays!]);
  const fresh = await cluster.join(NEW);
  await cluster.until(() => servers().includes(`nonvoter ${NEW.identity}`));
  await cluster.round(FIRST);
  cluster.day.jumpTo(SECOND);
  await cluster.until(async () => (await fresh.directory())?.creation === SECOND);
  expect(await signersOf(fresh)).toBe(3);
  await cluster.until(
    () =>
      servers().join() ===
      [...names, NEW.identity]
        .map((id) => `voter ${id}`)
        .sort()
        .join(),
  );
  expect(gone!.roots.chain.at(SECOND).document.nodes.map(({ identity }) => identity)).not.toContain(gone!.identity);
});

test('authorities change with a root: from then on the new ones vouch, and an item of the old ones is listed no more', async () => {
  const dora = official('dora', 'auth');
  const [, bert, cleo] = AUTHORITIES;
  const late = relay('late', DATES, [bert!, cleo!, dora]);
  await publishEverywhere();
  await cluster.round(FIRST);
  expect(await cluster.nodes[0]!.directory()).toMatchObject({ items: 1 });
  const tryLate = async (node: DiscoveryNode): Promise<string> => {
    const { client } = cluster.connect(node);
    const message = itemBytes(late.identity, { expiration: BigInt(NOON + 7200) });
    const { code } = await cluster.settle(client.publish(packetOf(late, message)));
    client.close();
    return code;
  };
  expect(await tryLate(cluster.nodes[0]!)).toBe('notAuthentic');

  const names = cluster.nodes.map(({ identity }) => identity);
  const authorities = [bert!, cleo!, dora].map(({ certificate }) => certificate.identity.text);
  const signed = await successor(cluster.nodes[0]!.roots.chain, SECOND, names, cluster.nodes, authorities);
  await cluster.nodes[0]!.roots.offer([signed], 'the operator');
  await cluster.until(() => cluster.nodes.every(({ roots }) => roots.chain.newest.document.version === 2));
  // Not yet: the old authorities count until the new root is in force.
  expect(await tryLate(cluster.nodes[0]!)).toBe('notAuthentic');
  await cluster.round(SECOND);
  expect(await cluster.nodes[0]!.directory()).toMatchObject({ items: 0 });
  for (const node of cluster.nodes) expect(await tryLate(node)).toBe('accepted');
  await cluster.round(THIRD);
  expect(await cluster.nodes[0]!.directory()).toMatchObject({ items: 1 });
});
