import { appendFileSync } from 'node:fs';
import { DiscoveryClient } from '@discovery-raft/discovery-client';
import { newFolder, removeFolders } from './fixtures/folder.js';
import { compileCli, type CompiledCli } from './support/compiled-cli.js';
import { publishNew } from './support/publish-new.js';
import { RealNetwork, until, untilStatus } from './support/real-network.js';

/** Real processes in real time, on a machine that others use too. */
const LIMIT_MS = 240_000;

let cli: CompiledCli;
let network: RealNetwork | undefined;

beforeAll(() => {
  cli = compileCli(newFolder());
});
afterEach(async () => {
  await network?.end();
  network = undefined;
});
afterAll(removeFolders);

test(
  'a node whose store is full stops with 6 and says what to do; the others go on; with room it comes back and catches up',
  async () => {
    const settings = { consensus: { sourcePublishesPerSecond: 0, prefixPublishesPerSecond: 0 } };
    network = await RealNetwork.init(newFolder(), 3, cli, { settings });
    const [small, ...large] = network.made.nodes;
    appendFileSync(small!.configFile, 'data:\n  maxBytes: 1048576\n');
    const [node, ...others] = await network.start();
    await network.leaderOf([node!, ...others]);
    let ended = false;
    void node!.exited.then(() => {
      ended = true;
    });
    const client = new DiscoveryClient({ root: network.made.root, nodes: large });
    const accepted: string[] = [];
    await Promise.all(
      Array.from({ length: 12 }, async () => {
        while (!ended) {
          const identity = await publishNew(client, network!.made);
          if (identity !== null) accepted.push(identity);
        }
      }),
    );
    expect(await node!.exited).toEqual({ code: 6, signal: null });
    expect(network.logOf(small!)).toMatch(/Raft has failed, and the node stops/);
    expect(network.logOf(small!)).toContain('free space on the disk or raise the limit, then restart this node');

    // The other two are a quorum.
    await network.leaderOf(others);
    const after = await publishNew(client, network.made);
    expect(after).not.toBeNull();
    client.close();
    const [back] = await network.start([small!], ['--set', 'data.maxBytes=1073741824']);
    const wanted = new Set([...accepted, after]);
    await untilStatus('what it missed to come to it', back!, ({ list }) => list.records >= wanted.size);
    for (const { admin } of [back!, ...others]) {
      await until('all to be in the list', async () => {
        const page = await admin.call('list', { limit: 2000 });
        const there = new Set(page.items.map(({ identity }) => identity));
        return [...wanted].every((identity) => there.has(identity!));
      });
    }
  },
  LIMIT_MS,
);

test(
  'a leader that stands still for ten seconds is replaced, and follows when it goes on; nothing accepted is lost',
  async () => {
    network = await RealNetwork.init(newFolder(), 3, cli);
    const nodes = await network.start();
    const { leader, others } = await network.leaderOf(nodes);
    const client = new DiscoveryClient({ root: network.made.root, nodes: others.map(({ made }) => made) });
    const accepted = [await publishNew(client, network.made)];
    leader.signal('SIGSTOP');
    const stoppedAt = performance.now();
    await network.leaderOf(others);
    accepted.push(await publishNew(client, network.made));
    await until('ten seconds to be over', () => performance.now() - stoppedAt > 10_000);
    leader.signal('SIGCONT');
    await untilStatus('it to follow', leader, ({ raft }) => raft.state === 'follower' && raft.leaderId !== null);
    accepted.push(await publishNew(client, network.made));
    client.close();
    expect(accepted).not.toContain(null);
    await until('all to be in its list', async () => {
      const { items } = await leader.admin.call('list', {});
      return accepted.every((identity) => items.some((item) => item.identity === identity));
    });
  },
  LIMIT_MS,
);
