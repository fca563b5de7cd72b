import { DiscoveryClient, fetchDirectory, verifyDirectory } from '@discovery-raft/discovery-client';
import { newFolder, removeFolders } from './fixtures/folder.js';
import { compileCli, type CompiledCli } from './support/compiled-cli.js';
import { publishNew } from './support/publish-new.js';
import { RealNetwork, until, untilStatus, type RealNode } from './support/real-network.js';
import { Wires } from './support/wires.js';

/** Real processes in real time, on a machine that others use too. */
const LIMIT_MS = 240_000;
const FLAP_MS = 200;
const FLAPS = 50;

let cli: CompiledCli;
let network: RealNetwork | undefined;
let wires: Wires | undefined;

beforeAll(() => {
  cli = compileCli(newFolder());
});
afterEach(async () => {
  await network?.end();
  await wires?.close();
  network = undefined;
});
afterAll(removeFolders);

function clientOf(nodes: readonly RealNode[]): DiscoveryClient {
  return new DiscoveryClient({ root: network!.made.root, nodes: nodes.map(({ made }) => made) });
}

async function untilListed(node: RealNode, identities: readonly (string | null)[]): Promise<void> {
  await until('all that was accepted to be in the list', async () => {
    const { items } = await node.admin.call('list', { limit: 2000 });
    return identities.every((wanted) => items.some(({ identity }) => identity === wanted));
  });
}

/** What a node says of its directory, which must be what a client finds. */
async function servedBy({ made }: RealNode): Promise<string | null> {
  const { headers, bytes } = await fetch(`http://127.0.0.1:${made.httpPort}/directory`).then(async (response) => ({
    headers: response.headers,
    bytes: new Uint8Array(await response.arrayBuffer()),
  }));
  const said = headers.get('x-discovery-quorum');
  const verdict = await verifyDirectory(await fetchDirectory(bytes), {
    root: network!.made.root,
    atSeconds: Number(headers.get('x-discovery-expires')) - 1,
  });
  expect(said).toBe(verdict.ok ? 'yes' : 'no');
  return said;
}

test(
  'two nodes of five are cut off, the leader among them: the three take publishes; whoever has no quorum says so; healed, ' +
    'all list everything',
  async () => {
    network = await RealNetwork.init(newFolder(), 5, cli, { slotSeconds: 8 });
    wires = await Wires.lay(network.made.nodes);
    const nodes = await network.start();
    const { leader, others } = await network.leaderOf(nodes);
    const few = [leader, others[0]!];
    const many = others.slice(1);
    const accepted = [await publishNew(clientOf(nodes), network.made)];
    wires.cut(
      few.map(({ made }) => made),
      many.map(({ made }) => made),
    );
    await network.leaderOf(many);
    // Three are a majority, so the list goes on; a directory of five needs four signatures, so there is no new one.
    accepted.push(await publishNew(clientOf(many), network.made));
    for (const node of few) await untilStatus('it not to lead', node, ({ raft }) => raft.state !== 'leader');
    for (const node of nodes) {
      await until('it to say that it has no quorum', async () => (await servedBy(node)) === 'no');
    }
    wires.heal();
    await network.leaderOf(nodes);
    accepted.push(await publishNew(clientOf(few), network.made));
    expect(accepted).not.toContain(null);
    for (const node of nodes) await untilListed(node, accepted);
    for (const node of nodes) await untilStatus('all to serve all', node, ({ directory }) => directory?.items === 3);
  },
  LIMIT_MS,
);

test(
  'a link that breaks every 200 ms: what is accepted meanwhile is listed everywhere, and afterwards the link holds',
  async () => {
    network = await RealNetwork.init(newFolder(), 3, cli, { slotSeconds: 8 });
    wires = await Wires.lay(network.made.nodes);
    const nodes = await network.start();
    const { leader, others } = await network.leaderOf(nodes);
    const client = clientOf(nodes);
    const accepted: (string | null)[] = [];
    let going = true;
    const publishing = (async () => {
      while (going) accepted.push(await publishNew(client, network.made));
    })();
    for (let flap = 0; flap < FLAPS; flap++) {
      if (flap % 2 === 0) wires.cut([leader.made], [others[0]!.made]);
      else wires.heal();
      await new Promise((resolve) => setTimeout(resolve, FLAP_MS));
    }
    wires.heal();
    going = false;
    await publishing;
    const good = accepted.filter((identity) => identity !== null);
    expect(good.length).toBeGreaterThan(0);
    for (const node of nodes) {
      await untilStatus('links to hold', node, ({ links }) => links.every(({ state }) => state === 'up'));
      await untilListed(node, good);
      await untilStatus('a directory with all of it', node, ({ directory }) => directory?.items === accepted.length);
    }
    client.close();
  },
  LIMIT_MS,
);
