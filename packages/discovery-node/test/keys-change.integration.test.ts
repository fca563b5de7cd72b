import { join } from 'node:path';
import { newFolder, removeFolders } from './fixtures/folder.js';
import { compileCli } from './support/compiled-cli.js';
import { RealNetwork, until, untilStatus, type RealNode } from './support/real-network.js';

const SLOT_SECONDS = 4;

let network: RealNetwork | undefined;

afterEach(async () => {
  await network?.end();
  removeFolders();
});

/** Runs a command that must succeed, and reads what it printed. */
async function json(real: RealNetwork, ...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await real.run([...args, '--json']);
  if (code !== 0) throw new Error(`${args.join(' ')}: ${code}\n${stdout}${stderr}`);
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** Waits for a directory with so many signatures, from a round that has begun after this moment. */
async function nextDirectory(node: RealNode, signatures: number): Promise<void> {
  const now = Date.now() / 1000;
  await until(`a directory with ${signatures} signatures`, async () => {
    const { directory } = await node.admin.call('status', {});
    return directory !== null && directory.creation > now && directory.signatures === signatures;
  });
}

test('a running node takes new certificates on command, and a new link identity with the root that names it', async () => {
  const folder = newFolder();
  network = await RealNetwork.init(folder, 3, compileCli(newFolder()), { slotSeconds: SLOT_SECONDS });
  const real = network;
  const nodes = await real.start();
  await real.leaderOf(nodes);
  await nextDirectory(nodes[0]!, 3);
  const [first, second, third] = nodes as readonly [RealNode, RealNode, RealNode];
  const config = (node: RealNode): [string, string] => ['--config', node.made.configFile];

  // The same identity and fingerprint: nobody else has to know, and nothing is restarted.
  const before = await json(real, 'keys', 'show', ...config(third));
  const rotated = await json(real, 'keys', 'rotate', '--days', '30', '--rsa-bits', '2048', ...config(third));
  expect(rotated).toMatchObject({ inUse: true, identity: before['identity'], fingerprint: before['fingerprint'] });
  await nextDirectory(third, 3);

  // Another fingerprint: a root says so, and from its activation on the links are made with it.
  const { identity, fingerprint } = await json(
    real,
    'keys',
    'rotate',
    '--link-identity',
    '--rsa-bits',
    '2048',
    ...config(third),
  );
  const file = join(folder, 'next.root');
  const rotate = `${String(identity)}=${String(fingerprint)}`;
  await json(real, 'root', 'propose', '--rotate', rotate, '--activate-in', '12', '-o', file, ...config(first));
  await json(real, 'root', 'sign', file, ...config(first));
  await json(real, 'root', 'sign', file, ...config(second));
  await json(real, 'root', 'publish', file, ...config(third));
  await untilStatus('the new fingerprint', third, ({ process }) => process.fingerprint === fingerprint);
  for (const node of nodes) {
    await untilStatus('links', node, ({ links }) => links.length === 2 && links.every(({ state }) => state === 'up'));
  }
  await nextDirectory(first, 3);
  expect(await json(real, 'keys', 'show', ...config(third))).toMatchObject({ fingerprint });

  // It is the same after a restart, though the configuration still has the old one.
  third.signal('SIGTERM');
  await third.exited;
  const [again] = await real.start([third.made]);
  await untilStatus('links', again!, ({ links }) => links.every(({ state }) => state === 'up'));
  await nextDirectory(again!, 3);
}, 180_000);
