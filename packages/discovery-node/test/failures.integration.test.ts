import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { DiscoveryClient } from '@discovery-raft/discovery-client';
import { readConfiguration, recoverCluster } from '@discovery-raft/raft-core';
import { LmdbStore } from '@discovery-raft/raft-store-lmdb';
import { newDiscoveryList } from '../src/index.js';
import { rotateKeys } from '../src/keys/key-folder.js';
import { newFolder, removeFolders } from './fixtures/folder.js';
import { compileCli, type CompiledCli } from './support/compiled-cli.js';
import { publishNew } from './support/publish-new.js';
import { RealNetwork, until, untilStatus, type RealNode } from './support/real-network.js';

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

/** Has one of these lead. */
async function ledByOneOf(healthy: readonly RealNode[], all: readonly RealNode[]): Promise<void> {
  await until('a healthy node to lead', async () => {
    const { leader } = await network!.leaderOf(all);
    if (healthy.includes(leader)) return true;
    await leader.admin.call('transfer', { target: healthy[0]!.made.identity }).catch(() => undefined);
    return false;
  });
}

/** What a node says over HTTP of the directory that it serves. */
async function quorumOf({ made }: RealNode): Promise<string | null> {
  return (await fetch(`http://127.0.0.1:${made.httpPort}/directory`)).headers.get('x-discovery-quorum');
}

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
  'a follower whose clock is ten minutes ahead refuses to vote; the others make directories, and it claims no quorum',
  async () => {
    network = await RealNetwork.init(newFolder(), 3, cli, { slotSeconds: 5 });
    const [early] = network.made.nodes;
    appendFileSync(early!.configFile, 'clock:\n  offsetSeconds: 600\n');
    const nodes = await network.start();
    const [ahead, ...healthy] = nodes;
    await ledByOneOf(healthy, nodes);
    const client = new DiscoveryClient({ root: network.made.root, nodes: healthy.map(({ made }) => made) });
    expect(await publishNew(client, network.made)).not.toBeNull();
    for (const node of healthy) {
      await untilStatus('a directory of the two', node, ({ directory }) => directory?.items === 1);
      const { directory } = await node.admin.call('status', {});
      expect(directory).toMatchObject({ signatures: 2 });
      expect(await quorumOf(node)).toBe('yes');
    }
    expect(await quorumOf(ahead!)).not.toBe('yes');
    expect((await client.refresh(10_000)).directory.items).toHaveLength(1);
    client.close();
  },
  LIMIT_MS,
);

test(
  'a node whose certificates expire while it runs is counted no more; directories go on without it; new keys bring it back',
  async () => {
    network = await RealNetwork.init(newFolder(), 3, cli, { slotSeconds: 5 });
    const [made] = network.made.nodes;
    const now = Math.floor(Date.now() / 1000);
    const folder = join(made!.folder, 'keys');
    await rotateKeys(folder, { notBefore: now - 60, notAfter: now + 15, rsaBits: 2048 });
    const nodes = await network.start();
    const [expiring, ...healthy] = nodes;
    await ledByOneOf(healthy, nodes);
    expect(network.logOf(made!)).toContain('the signing certificate expires at');
    await untilStatus('directories without it', healthy[0]!, ({ directory }) => {
      return directory !== null && directory.creation > now + 15 && directory.signatures === 2;
    });
    expect(await quorumOf(healthy[0]!)).toBe('yes');
    expiring!.signal('SIGTERM');
    await expiring!.exited;
    await rotateKeys(folder, { notBefore: now - 60, notAfter: now + 86_400, rsaBits: 2048 });
    const [renewed] = await network.start([made!]);
    await untilStatus('links to come back', renewed!, ({ links }) => links.every(({ state }) => state === 'up'));
    await untilStatus('all three to sign', healthy[0]!, ({ directory }) => directory?.signatures === 3);
  },
  LIMIT_MS,
);

test(
  'a node whose state was changed on its disk stops with 7 and shows both digests, until a person has looked; the others go on',
  async () => {
    network = await RealNetwork.init(newFolder(), 3, cli, { slotSeconds: 5 });
    const [made] = network.made.nodes;
    const [node, ...others] = await network.start();
    await untilStatus('a state to compare', node!, ({ state }) => state !== null);
    node!.signal('SIGTERM');
    await node!.exited;

    // The same log, applied by a list that has seen something else before.
    const store = await LmdbStore.open({ path: join(made!.folder, 'data', 'raft') });
    const stateMachine = newDiscoveryList();
    stateMachine.applyTombstone({ index: 1, term: 1, type: 16, data: new Uint8Array(32) });
    const { configuration } = (await readConfiguration(store))!;
    await recoverCluster({ ...storesOf(store), stateMachine, configuration });
    await store.close();

    const [broken] = await network.start([made!]);
    expect(await broken!.exited).toEqual({ code: 7, signal: null });
    const digests = /the state is [0-9a-f]{64} here, [0-9a-f]{64} at .*, [0-9a-f]{64} at /;
    expect(network.logOf(made!)).toMatch(digests);
    const again = await network.run(['start', '--config', made!.configFile]);
    expect(again).toMatchObject({ code: 7, stderr: expect.stringContaining('state-differs.json') as string });

    const since = Math.floor(Date.now() / 1000);
    for (const healthy of others) {
      await untilStatus('directories without it', healthy, ({ directory }) => (directory?.creation ?? 0) > since);
    }
  },
  LIMIT_MS,
);

function storesOf({ logStore, stableStore, snapshotStore }: LmdbStore) {
  return { logStore, stableStore, snapshotStore };
}
