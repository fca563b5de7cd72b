import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DiscoveryClient } from '@discovery-raft/discovery-client';
import { initNode, type MadeNode } from '../src/index.js';
import { freePorts } from '../src/keys/free-ports.js';
import { readRootDocument } from '../src/keys/trust-root-file.js';
import { compileCli } from './support/compiled-cli.js';
import { newFolder, removeFolders } from './fixtures/folder.js';
import { publishNew } from './support/publish-new.js';
import { RealNetwork, until, untilStatus, type RealNode } from './support/real-network.js';

const SLOT_SECONDS = 4;
/** A node under load must not lose its leader for it. */
const RAFT = { heartbeatTimeoutMs: 1500, electionTimeoutMs: 1500, leaderLeaseTimeoutMs: 1500 };

let network: RealNetwork | undefined;

afterEach(async () => {
  await network?.end();
  removeFolders();
});

/** Runs a command that must succeed. */
async function cli(real: RealNetwork, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await real.run(args);
  if (code !== 0) throw new Error(`${args.join(' ')}: ${code}\n${stdout}${stderr}`);
  return stdout;
}

/** A fourth node that knows only the first trust root and one address. */
async function initFourth(real: RealNetwork, folder: string): Promise<MadeNode> {
  const now = Math.floor(Date.now() / 1000);
  const [port, httpPort] = await freePorts(2, '127.0.0.1');
  const [{ host, port: peerPort }] = real.made.nodes as readonly [MadeNode];
  return initNode({
    folder: join(folder, 'd4'),
    name: 'd4',
    ...{ host, port: port!, rsaBits: 2048, notBefore: now - 3600, notAfter: now + 86_400 },
    network: { root: await readRootDocument(real.made.trustRootFile), peers: [{ host, port: peerPort }] },
    slotSeconds: SLOT_SECONDS,
    settings: {
      raft: RAFT,
      listen: { host },
      http: { port: httpPort },
      log: { format: 'json' },
      consensus: { enhanceSeconds: 1, resendSeconds: 1 },
    },
  });
}

/** Has a proposal signed by these nodes, and published by the first of them. */
async function decide(real: RealNetwork, file: string, signers: readonly RealNode[]): Promise<void> {
  for (const { made } of signers) await cli(real, 'root', 'sign', file, '--config', made.configFile);
  await cli(real, 'root', 'publish', file, '--config', signers[0]!.made.configFile);
}

/** Waits for a directory that lists something and that these nodes, and nobody else, have signed. */
async function signedBy(client: DiscoveryClient, nodes: readonly MadeNode[]): Promise<void> {
  const wanted = nodes.map(({ identity }) => identity).sort();
  await until(`a directory signed by ${nodes.length}`, async () => {
    const list = await client.refresh(5000).catch(() => null);
    if (list === null || list.directory.items.length === 0) return false;
    return [...list.directory.signers].sort().join() === wanted.join();
  });
}

test('a fourth node is initialised, signed in, joins and signs; then one is removed and stops; a client with the first root believes all of it', async () => {
  const folder = newFolder();
  const cliFolder = join(folder, 'cli');
  mkdirSync(cliFolder);
  network = await RealNetwork.init(folder, 3, compileCli(cliFolder), { slotSeconds: SLOT_SECONDS });
  const real = network;
  const three = await real.start();
  await real.leaderOf(three);
  const { root, nodes } = real.made;
  const client = new DiscoveryClient({ root, nodes: nodes.map(({ host, port }) => ({ host, port })) });
  try {
    await until('an item', async () => (await publishNew(client, real.made)) !== null);
    await signedBy(client, nodes);

    const made = await initFourth(real, folder);
    // Before a root names it, it says what is missing and ends.
    expect(await real.run(['start', '--config', made.configFile])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('NODE_NOT_NAMED') as string,
    });
    const description = join(folder, 'd4.json');
    writeFileSync(description, await cli(real, 'keys', 'show', '--json', '--config', made.configFile));
    const file = join(folder, 'next.root');
    const config = ['--config', nodes[0]!.configFile];
    await cli(real, 'root', 'propose', '--add', description, '--activate-in', '12', '-o', file, ...config);
    // One signature is not enough, and the node says so.
    await cli(real, 'root', 'sign', file, ...config);
    expect(await real.run(['root', 'publish', file, ...config])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('quorumMissing') as string,
    });
    await cli(real, 'root', 'sign', file, '--joining', '--config', made.configFile);
    expect(JSON.parse(await cli(real, 'root', 'show', file, '--json', ...config))).toMatchObject({
      quorum: 2,
      missing: [],
    });
    await decide(real, file, [three[0]!, three[1]!]);

    const [fourth] = await real.start([made]);
    await untilStatus('the root in force', fourth!, ({ roots }) => roots.inForce === 2);
    await signedBy(client, [...nodes, made]);
    expect(client.roots.newest.document.version).toBe(2);
    await until('a vote for the fourth', async () => {
      const { servers } = await three[0]!.admin.call('members.list', {});
      return servers.some(({ id, suffrage }) => id === made.identity && suffrage === 'voter');
    });

    // The first one goes, whoever leads; it hands over, leaves, and stops by itself.
    const removal = join(folder, 'removal.root');
    await cli(real, 'root', 'propose', '--remove', nodes[0]!.identity, '--activate-in', '12', '-o', removal, ...config);
    await decide(real, removal, [three[1]!, three[2]!, fourth!]);
    const left = [nodes[1]!, nodes[2]!, made];
    await signedBy(client, left);
    expect(await three[0]!.exited).toEqual({ code: 0, signal: null });
    expect(client.roots.newest.document.version).toBe(3);

    // What is kept in files can be verified by anybody who has the first root.
    const roots = join(folder, 'roots.bin');
    const directory = join(folder, 'directory.bin');
    await cli(real, 'root', 'export', '-o', roots, '--config', made.configFile);
    const first = ['--trust-root', real.made.trustRootFile];
    expect(await cli(real, 'root', 'verify', roots, ...first)).toContain('version');
    await cli(real, 'pull', '--out', directory, ...first, '--node', `${made.host}:${made.port}`);
    expect(await real.run(['verify', directory, ...first])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('is the newest known here') as string,
    });
    expect(await real.run(['verify', directory, ...first, '--roots', roots])).toMatchObject({ code: 0 });
    const { http } = (await fourth!.admin.call('status', {})).process;
    const served = await fetch(`http://${http!.host}:${http!.port}/trust-roots`);
    expect(Buffer.from(await served.arrayBuffer())).toEqual(readFileSync(roots));
  } finally {
    client.close();
  }
}, 180_000);
