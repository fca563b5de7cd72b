import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AdminClient } from '../src/index.js';
import { newFolder, removeFolders } from './fixtures/folder.js';
import { compileCli, type CompiledCli } from './support/compiled-cli.js';
import { RealNetwork, until, untilStatus, type RealNode } from './support/real-network.js';

/** Real processes in real time, on a machine that others use too. */
const LIMIT_MS = 180_000;
const SOON = Math.floor(Date.now() / 1000);

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

/** Publishes an item through the command line, at one node. */
async function publish(at: RealNode, name: string): Promise<{ readonly code: number | null; readonly text: string }> {
  const { made } = network!;
  const file = join(made.folder, `${name}.pem`);
  const files = ['--authorities', made.authorityFolder, '--trust-root', made.trustRootFile];
  const keys = await network!.run(['keys', 'publisher', file, ...files]);
  if (keys.code !== 0) throw new Error(keys.stderr);
  const target = ['--node', `${at.made.host}:${at.made.port}`, '--trust-root', made.trustRootFile];
  const result = await network!.run(['publish', '--keys', file, '--address', '192.0.2.1:9001', ...target]);
  return { code: result.code, text: result.stdout + result.stderr };
}

async function listed(node: RealNode): Promise<number> {
  return (await node.admin.call('list', {})).items.length;
}

test(
  'three nodes of init found a cluster; what is published is listed after a round; a leader that stops hands over; ' +
    'one that is killed catches up',
  async () => {
    network = await RealNetwork.init(newFolder(), 3, cli, { slotSeconds: 10 });
    const nodes = await network.start();
    const { leader, others } = await network.leaderOf(nodes);

    // Published at a follower, attested by all, and in the directory of the next round everywhere.
    expect(await publish(others[0]!, 'ada')).toMatchObject({ code: 0 });
    await untilStatus('the item to be attested', leader, ({ list }) => list.listable === 1);
    for (const node of nodes) await untilStatus('the directory', node, ({ directory }) => directory?.items === 1);
    for (const node of nodes) {
      const { directory, consensus } = await node.admin.call('status', {});
      expect(directory!.signatures).toBeGreaterThanOrEqual(consensus.quorum);
    }
    expect(await network.run(['round', '--next', '--config', leader.made.configFile])).toMatchObject({ code: 0 });

    // A client pulls it over TLS, keeps it, and verifies the file offline.
    const config = ['--config', others[1]!.made.configFile];
    const file = join(network.made.folder, 'directory.bin');
    const pulled = await network.run(['pull', '--json', '--out', file, ...config]);
    expect(pulled).toMatchObject({ code: 0 });
    expect(JSON.parse(pulled.stdout)).toMatchObject({
      ok: true,
      items: [{ mode: 'onion', address: ['192.0.2.1:9001'] }],
    });
    expect(await network.run(['verify', file, ...config])).toMatchObject({ code: 0 });
    // A file that cannot be written is no trouble of the network.
    const nowhere = join(network.made.folder, 'nowhere', 'directory.bin');
    expect(await network.run(['pull', '--out', nowhere, ...config])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--out: .*nowhere.* cannot be written/),
    });
    const http = await fetch(`http://127.0.0.1:${others[0]!.made.httpPort}/directory`);
    expect([http.status, http.headers.get('x-discovery-quorum')]).toEqual([200, 'yes']);

    // SIGTERM at the leader: it hands over, ends with 0, and takes its lock and socket with it.
    leader.signal('SIGTERM');
    expect(await leader.exited).toEqual({ code: 0, signal: null });
    expect(network.logOf(leader.made)).toContain('leadership was handed over');
    expect(existsSync(join(leader.made.folder, 'data/lock'))).toBe(false);
    expect(existsSync(leader.made.socket)).toBe(false);
    const { leader: second } = await network.leaderOf(others);
    expect(await publish(second, 'ben')).toMatchObject({ code: 0 });

    // kill -9: the other two of three are needed, so the one that stopped comes back first and catches up.
    const [back] = await network.start([leader.made]);
    await until('the list to come back', async () => (await listed(back!)) === 2);
    second.signal('SIGKILL');
    expect(await second.exited).toEqual({ code: null, signal: 'SIGKILL' });
    const left = [...others.filter((node) => node !== second), back!];
    const { leader: third } = await network.leaderOf(left);
    expect(await publish(third, 'cleo')).toMatchObject({ code: 0 });
    const [again] = await network.start([second.made]);
    await until('what it missed to come to it', async () => (await listed(again!)) === 3);
    expect(network.logOf(second.made)).not.toContain('something could not be closed');
    // The cluster was founded once: a mark that is gone, and one log for all.
    expect(network.logOf(second.made).match(/it founded a cluster/g)).toHaveLength(1);
    await untilStatus('its directory', again!, ({ directory }) => directory?.items === 3);
  },
  LIMIT_MS,
);

test(
  'the clock moves only by command and only where that was asked for; slots follow it',
  async () => {
    network = await RealNetwork.init(newFolder(), 3, cli);
    const start = Math.floor(SOON / 600) * 600 - 300;
    const nodes = await network.start(network.made.nodes, ['--manual-clock', String(start)]);
    const { leader } = await network.leaderOf(nodes);
    expect(await leader.admin.call('clock.get', {})).toEqual({ unixSeconds: start, manual: true });
    for (const at of [start + 300, start + 900]) {
      await Promise.all(nodes.map(({ admin }) => admin.call('clock.set', { unixSeconds: at })));
      for (const node of nodes) await untilStatus('the round', node, ({ directory }) => directory?.creation === at);
    }
    await expect(leader.admin.call('clock.set', { unixSeconds: start })).rejects.toMatchObject({
      details: { code: 'ADMIN_INVALID_PARAMS' },
    });
  },
  LIMIT_MS,
);

test(
  'one node: alone by configuration; its lock keeps others out; the second signal ends it at once; what it refuses',
  async () => {
    network = await RealNetwork.init(newFolder(), 1, cli, { settings: { consensus: { standalone: true } } });
    const [made] = network.made.nodes;
    const [node] = await network.start();
    await untilStatus('it to be ready', node!, ({ process: { ready } }) => ready);
    expect(statSync(made!.socket).mode & 0o777).toBe(0o600);
    const second = await network.run(['start', '--config', made!.configFile]);
    expect(second).toMatchObject({ code: 5, stdout: '' });
    expect(second.stderr).toContain(`is used by process ${node!.pid}`);
    await expect(node!.admin.call('clock.set', { unixSeconds: SOON + 1e6 })).rejects.toMatchObject({
      details: { code: 'ADMIN_NOT_ALLOWED' },
    });
    const { identity } = network.made.nodes[0]!;
    const stranger = identity.slice(0, -1) + (identity.endsWith('x') ? 'y' : 'x');
    await expect(node!.admin.call('members.add', { identity: stranger })).rejects.toMatchObject({
      details: { code: 'ADMIN_NOT_ALLOWED' },
    });
    const status = await network.run(['status', '--json', '--config', made!.configFile]);
    expect(JSON.parse(status.stdout)).toMatchObject({ identity: made!.identity, process: { pid: node!.pid } });
    const metrics = await network.run(['metrics', '--config', made!.configFile]);
    expect(metrics.stdout).toMatch(/^discovery_raft_is_leader(\{\})? 1$/m);
    expect(await network.run(['stop', '--config', made!.configFile])).toMatchObject({ code: 0 });
    expect(await node!.exited).toEqual({ code: 0, signal: null });
    expect(await network.run(['status', '--config', made!.configFile])).toMatchObject({ code: 4 });

    // A mark that init left is used up: an empty data directory does not found a second cluster.
    const log = network.logOf(made!);
    expect(log.match(/it founded a cluster/g)).toHaveLength(1);
    expect(log).not.toContain('PRIVATE KEY');

    // Offline recovery: first what would be done, then it is done, and the node goes on.
    const peers = join(network.made.folder, 'peers.json');
    writeFileSync(peers, JSON.stringify([{ id: made!.identity, address: made!.identity }]));
    const recover = ['recover', '--peers', peers, '--config', made!.configFile];
    expect((await network.run(recover)).stdout).toContain('Nothing was done');
    expect((await network.run([...recover, '--yes'])).stdout).toContain('Recovered at entry');
    const [recovered] = await network.start();
    await untilStatus('it to lead again', recovered!, ({ raft }) => raft.state === 'leader');
    await AdminClient.connect({ socket: made!.socket }).then((admin) => admin.close());
  },
  LIMIT_MS,
);
