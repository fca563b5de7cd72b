import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileCli, type CompiledCli } from './support/compiled-cli.js';
import { newFolder, removeFolders } from './fixtures/folder.js';
import { until } from './support/real-network.js';

let cli: CompiledCli;

beforeAll(() => {
  cli = compileCli(newFolder());
});
afterAll(removeFolders);

test('a demonstration that is ended by a signal leaves no process and no folder behind', async () => {
  const temporary = newFolder();
  const demo = spawn(process.execPath, [cli.file, 'demo', '--relays', '500', '--json'], {
    env: { ...cli.env, TMPDIR: temporary },
    stdio: 'ignore',
  });
  const exited = once(demo, 'exit');
  const locks = (): readonly string[] =>
    readdirSync(temporary)
      .flatMap((folder) => [1, 2, 3].map((i) => join(temporary, folder, `node-${i}`, 'data', 'lock')))
      .filter((lock) => existsSync(lock) && readFileSync(lock, 'utf8') !== '');
  await until('three nodes to run', () => Promise.resolve(locks().length === 3));
  const pids = locks().map((lock) => (JSON.parse(readFileSync(lock, 'utf8')) as { pid: number }).pid);
  demo.kill('SIGTERM');
  expect(await exited).toEqual([null, 'SIGTERM']);
  expect(readdirSync(temporary)).toEqual([]);
  await until('their processes to be gone', () => Promise.resolve(!pids.some(isAlive)));
}, 120_000);

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
