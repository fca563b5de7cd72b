import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { DiskFullReport } from './fixtures/disk-full-writer.js';
import { entriesOf } from './fixtures/operations.js';
import { compileFixtures, type Fixtures } from './support/compiled.js';
import { failureOf } from './support/failure.js';
import { openTemp, tempDirectory } from './support/temp.js';

const run = promisify(execFile);
let fixtures: Fixtures;
let holder: ChildProcess | undefined;

beforeEach(() => (fixtures = compileFixtures(tempDirectory())));
afterEach(() => holder?.kill('SIGKILL'));

/** Starts a process that opens the store. Returns the first thing it says. */
async function hold(path: string): Promise<string> {
  holder = spawn(process.execPath, [fixtures.fileOf('holder'), path], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: fixtures.env,
  });
  for await (const line of createInterface({ input: holder.stdout! })) return line;
  throw new Error('the holder said nothing');
}

test('a store that another process has open is refused, and is free at once when that is killed', async () => {
  const path = tempDirectory();
  expect(await hold(path)).toBe('opened');
  expect(await failureOf(openTemp({ path }))).toMatchObject({
    code: 'RAFT_STORE_FAILED',
    details: { failure: 'locked', path, pid: holder!.pid },
  });
  const exited = once(holder!, 'exit');
  holder!.kill('SIGKILL');
  await exited;
  const store = await openTemp({ path });
  await store.stableStore.save({ term: 1, votedFor: 'a' });
  expect(await hold(path)).toMatch(/is open in process \d+/);
});

test('a store that is open in this process is refused', async () => {
  const store = await openTemp();
  expect(await failureOf(openTemp({ path: store.path }))).toMatchObject({
    message: expect.stringContaining('another store of this process') as string,
    details: { failure: 'locked' },
  });
  // The refused one has taken nothing away from the first, nor has it opened the door for others.
  expect(await hold(store.path)).toMatch(/is open in process \d+/);
  await store.stableStore.save({ term: 3, votedFor: null });
  await store.close();
  expect(await (await openTemp({ path: store.path })).stableStore.load()).toEqual({ term: 3, votedFor: null });
});

test('a file that may not grow any more ends all writing, loses nothing acknowledged, and reads go on', async () => {
  const path = tempDirectory();
  // 2,000 blocks of 512 or 1,024 bytes, depending on the shell.
  const script = `ulimit -f 2000; exec "$0" "$1" "$2"`;
  const { stdout } = await run('sh', ['-c', script, process.execPath, fixtures.fileOf('disk-full-writer'), path], {
    env: fixtures.env,
  });
  const report = JSON.parse(stdout) as DiskFullReport;
  const [full, ...later] = report.failures;
  expect(full).toMatchObject({ code: 'RAFT_STORE_FAILED', failure: 'full' });
  expect(later.map(({ failure }) => failure)).toEqual(['poisoned', 'poisoned', 'poisoned']);
  expect(report).toMatchObject({ poisoned: true, readable: report.acknowledged });
  expect(report.acknowledged).toBeGreaterThan(1000);

  const { logStore } = await openTemp({ path });
  expect(logStore.lastIndex).toBe(report.acknowledged);
  const expected = entriesOf({ op: 'append', from: 1, count: report.acknowledged, term: 1, bytes: 256, salt: 0 });
  expect(await logStore.read(1, logStore.lastIndex, Infinity)).toEqual(expected);
  await logStore.truncatePrefix(10);
});
