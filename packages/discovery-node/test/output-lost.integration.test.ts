import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { compileCli, type CompiledCli } from './support/compiled-cli.js';
import { newFolder, removeFolders } from './fixtures/folder.js';

/*
 * A program whose output goes nowhere, in a real process. The device that is always full is Linux's.
 */
let cli: CompiledCli;

beforeAll(() => {
  cli = compileCli(newFolder());
});
afterAll(removeFolders);

interface Ended {
  readonly code: number | null;
  readonly stderr: string;
}

async function endOf(child: ChildProcess): Promise<Ended> {
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stderr };
}

function begin(args: readonly string[], stdout: 'pipe' | number = 'pipe'): ChildProcess {
  return spawn(process.execPath, [cli.file, ...args], { env: cli.env, stdio: ['ignore', stdout, 'pipe'] });
}

test('a reader that leaves early changes neither the exit code nor what is said of errors', async () => {
  const child = begin(['config', 'show', '--settings']);
  child.stdout?.destroy();
  expect(await endOf(child)).toEqual({ code: 0, stderr: '' });
});

test('a result that cannot be written is a failure, told in one line', async () => {
  const child = begin(['config', 'show', '--settings'], openSync('/dev/full', 'w'));
  const { code, stderr } = await endOf(child);
  expect(code).toBe(3);
  expect(stderr).toMatch(/^standard output cannot be written: ENOSPC[^\n]*\n$/);
});

test('a command that fails ends with its own code, though nobody reads why', async () => {
  const child = begin(['status', '--config', 'nowhere.yaml']);
  child.stderr?.destroy();
  child.stdout?.destroy();
  const [code] = (await once(child, 'exit')) as [number | null];
  expect(code).toBe(2);
});
