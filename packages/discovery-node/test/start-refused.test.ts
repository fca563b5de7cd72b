import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { initNetwork, type MadeNode } from '../src/keys/init-network.js';
import { EXIT } from '../src/cli/exit-codes.js';
import { run } from './fixtures/command-line.js';
import { newFolder, removeFolders } from './fixtures/folder.js';

/*
 * Starts that must not succeed: each says what is in the way and what to do, and leaves what it found.
 */
let node: MadeNode;
let taken: Server;
let takenPort: number;

const start = (...settings: string[]): ReturnType<typeof run> =>
  run(['start', '--config', node.configFile, ...settings.flatMap((setting) => ['--set', setting])]);
const ownerFile = (): string => join(node.folder, 'data', 'owner.json');

beforeAll(async () => {
  taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  takenPort = (taken.address() as AddressInfo).port;
});
beforeEach(async () => {
  const now = Math.floor(Date.now() / 1000);
  const dates = { notBefore: now - 60, notAfter: now + 86_400 };
  const made = await initNetwork({ ...dates, folder: join(newFolder(), 'n'), nodes: 3, rsaBits: 2048 });
  node = made.nodes[0]!;
});
afterAll(() => {
  taken.close();
  removeFolders();
});

test.each([
  ['listen', 'listen.port'],
  ['http', 'http.port'],
])('a port of %s that another process has', async (_section, setting) => {
  const { code, stderr } = await start(`${setting}=${takenPort}`);
  expect(code).toBe(EXIT.failed);
  expect(stderr).toMatch(
    new RegExp(`${setting}, 127.0.0.1:${takenPort}, cannot be listened at: another process listens there`),
  );
  expect(stderr).toContain('EADDRINUSE');
  expect(stderr).not.toContain('removed from the cluster');
});

test('a file where the admin socket should be stays as it is', async () => {
  const file = join(node.folder, 'precious');
  writeFileSync(file, 'not to be lost');
  const { code, stderr } = await start('admin.socket=precious');
  expect(code).toBe(EXIT.failed);
  expect(stderr).toContain('precious is no socket, and stays as it is: give admin.socket a path of its own');
  expect(readFileSync(file, 'utf8')).toBe('not to be lost');
});

test('an admin socket in a folder that is not there', async () => {
  const { code, stderr } = await start('admin.socket=nowhere/a.sock');
  expect(code).toBe(EXIT.failed);
  expect(stderr).toMatch(/there can be no admin socket .*nowhere\/a\.sock: its folder must exist/);
});

test('a data directory that is a file', async () => {
  const { code, stderr } = await start('data.directory=node.yaml');
  expect(code).toBe(EXIT.usage);
  expect(stderr).toMatch(/data\.directory, .*node\.yaml, cannot be made: it must be a folder/);
});

test('the data directory of another node', async () => {
  writeFileSync(ownerFile(), JSON.stringify({ identity: 'somebody else', hadState: true }));
  const { code, stderr } = await start();
  expect(code).toBe(EXIT.usage);
  expect(stderr).toMatch(/belongs to somebody else, and this node is xpx.*Set data\.directory/);
  expect(existsSync(join(node.folder, 'data', 'found-cluster'))).toBe(true);
});

test('a store that is empty, and was not before: the node could vote twice', async () => {
  writeFileSync(ownerFile(), JSON.stringify({ identity: node.identity, hadState: true }));
  const { code, stderr } = await start();
  expect(code).toBe(EXIT.data);
  expect(stderr).toMatch(/is empty, and it was not before.*members remove/);
});

test('a start leaves whose the directory is; a damaged file of that is told of', async () => {
  await start(`http.port=${takenPort}`);
  expect(JSON.parse(readFileSync(ownerFile(), 'utf8'))).toEqual({ identity: node.identity, hadState: true });
  // The same again, since nothing of it has changed.
  expect((await start(`http.port=${takenPort}`)).code).toBe(EXIT.failed);
  writeFileSync(ownerFile(), '{"identity"');
  expect(await start()).toMatchObject({
    code: EXIT.data,
    stderr: expect.stringMatching(/owner\.json is damaged\. Make sure/),
  });
});
