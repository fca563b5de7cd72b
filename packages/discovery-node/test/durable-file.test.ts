import * as fs from 'node:fs/promises';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { makePrivateFolder, PRIVATE_FILE, replaceFile, writeNewFile } from '../src/directory/durable-file.js';
import { newFolder, removeFolders } from './fixtures/folder.js';

/*
 * What a power cut leaves follows from the order of these calls: a name must not be on disk before what it names, and nobody may
 * be told before the name is.
 */

// A module of its own, so that calls of its functions can be seen.
jest.mock('node:fs/promises', () => ({ ...jest.requireActual<typeof fs>('node:fs/promises'), __esModule: true }));

let folder: string;
let calls: string[];

/** Names of temporary files are chance. */
const nameOf = (path: unknown): string => relative(folder, String(path)).replace(/\.[0-9a-f]{12}\.tmp$/, '.tmp') || '.';

beforeEach(() => {
  folder = newFolder();
  calls = [];
  const { open, rename, link, unlink } = { ...fs };
  jest.spyOn(fs, 'open').mockImplementation(async (path, flags, mode) => {
    const handle = await open(path, flags, mode);
    const sync = handle.sync.bind(handle);
    handle.sync = async () => {
      await sync();
      calls.push(`sync ${nameOf(path)}`);
    };
    return handle;
  });
  jest.spyOn(fs, 'rename').mockImplementation(async (from, to) => {
    await rename(from, to);
    calls.push(`rename ${nameOf(from)} to ${nameOf(to)}`);
  });
  jest.spyOn(fs, 'link').mockImplementation(async (from, to) => {
    await link(from, to);
    calls.push(`link ${nameOf(from)} to ${nameOf(to)}`);
  });
  jest.spyOn(fs, 'unlink').mockImplementation(async (path) => {
    await unlink(path);
    calls.push(`unlink ${nameOf(path)}`);
  });
});
afterEach(() => jest.restoreAllMocks());
afterAll(removeFolders);

test('a file that is replaced is on disk before it takes the name, and the name before anybody is told', async () => {
  const file = join(folder, 'a');
  await replaceFile(file, 'old', PRIVATE_FILE);
  await replaceFile(file, [Buffer.from('n'), Buffer.from('ew')], PRIVATE_FILE);
  const one = ['sync a.tmp', 'rename a.tmp to a', 'sync .'];
  expect(calls).toEqual([...one, ...one]);
  expect(readFileSync(file, 'utf8')).toBe('new');
  expect(readdirSync(folder)).toEqual(['a']);
});

test('a new file likewise, and it replaces nothing', async () => {
  const file = join(folder, 'a');
  await writeNewFile(file, 'first', PRIVATE_FILE);
  expect(calls).toEqual(['sync a.tmp', 'link a.tmp to a', 'unlink a.tmp', 'sync .']);
  await expect(writeNewFile(file, 'second', PRIVATE_FILE)).rejects.toMatchObject({ code: 'NODE_EXISTS' });
  expect(readFileSync(file, 'utf8')).toBe('first');
  expect(readdirSync(folder)).toEqual(['a']);
});

test('a new folder and those above it are on disk, each by the sync of the one that holds it', async () => {
  const inner = join(folder, 'a', 'b', 'c');
  await makePrivateFolder(inner);
  expect(calls).toEqual([`sync ${join('a', 'b')}`, 'sync a', 'sync .']);
  for (const made of [inner, dirname(inner)]) expect(statSync(made).mode & 0o077).toBe(0);
  calls = [];
  await makePrivateFolder(inner);
  expect(calls).toEqual([]);
});
