import { DiscoveryClient } from '@discovery-raft/discovery-client';
import { newFolder, removeFolders } from './fixtures/folder.js';
import { compileCli } from './support/compiled-cli.js';
import { publishNew } from './support/publish-new.js';
import { RealNetwork, until, untilStatus, type RealNode } from './support/real-network.js';

/** Real processes in real time, on a machine that others use too. */
const LIMIT_MS = 240_000;
const SLOT_SECONDS = 5;

let network: RealNetwork | undefined;

afterEach(async () => {
  await network?.end();
});
afterAll(removeFolders);

async function identitiesOf({ admin }: RealNode): Promise<ReadonlySet<string>> {
  return new Set((await admin.call('list', { limit: 2000 })).items.map(({ identity }) => identity));
}

test(
  'every node of three is restarted in turn while relays publish: nothing that was accepted is lost, and each restart ' +
    'costs at most the round in progress',
  async () => {
    network = await RealNetwork.init(newFolder(), 3, compileCli(newFolder()), { slotSeconds: SLOT_SECONDS });
    const nodes = new Map((await network.start()).map((node) => [node.made.name, node]));
    await network.leaderOf([...nodes.values()]);
    const client = new DiscoveryClient({ root: network.made.root, nodes: network.made.nodes, maxConcurrent: 2 });
    const accepted: string[] = [];
    let going = true;
    const publishing = (async () => {
      while (going) {
        const identity = await publishNew(client, network.made);
        if (identity !== null) accepted.push(identity);
      }
    })();

    const rounds = new Set<number>();
    for (const made of network.made.nodes) {
      const before = accepted.length;
      const node = nodes.get(made.name)!;
      node.signal('SIGTERM');
      expect(await node.exited).toEqual({ code: 0, signal: null });
      const [back] = await network.start([made]);
      nodes.set(made.name, back!);
      await untilStatus('it to take part again', back!, ({ process, links, raft }) => {
        const linked = links.every(({ state }) => state === 'up');
        return process.ready && linked && raft.appliedIndex === raft.commitIndex;
      });
      await until('publishes to go on', () => accepted.length > before + 2);
    }
    going = false;
    await publishing;
    client.close();

    expect(accepted.length).toBeGreaterThan(8);
    for (const node of nodes.values()) {
      await until('all that was accepted to be in the list', async () => {
        const there = await identitiesOf(node);
        return accepted.every((identity) => there.has(identity));
      });
      for (const match of network
        .logOf(node.made)
        .matchAll(/"round":(\d+)[^}]*},"message":"a round ended with a dir/g)) {
        rounds.add(Number(match[1]));
      }
    }
    const ended = [...rounds].sort((a, b) => a - b);
    const gaps = ended.slice(1).map((round, i) => round - ended[i]! - 1);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1);
    expect(gaps.reduce((sum, gap) => sum + gap, 0)).toBeLessThanOrEqual(3);
  },
  LIMIT_MS,
);
