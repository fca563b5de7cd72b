import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lockData } from '../src/daemon/data-lock.js';
import { newFolder, removeFolders } from './fixtures/folder.js';

afterAll(removeFolders);

test('one owner at a time; what it leaves is nothing', async () => {
  const folder = newFolder();
  const lock = await lockData(folder);
  await expect(lockData(folder)).rejects.toMatchObject({
    code: 'NODE_DATA_LOCKED',
    retryable: true,
    details: { pid: process.pid },
  });
  await lock.release();
  await lock.release();
  expect(readdirSync(folder)).toEqual([]);
  await (await lockData(folder)).release();
});

test('the lock of a process that is gone is taken over', async () => {
  const folder = newFolder();
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  writeFileSync(join(folder, 'lock'), JSON.stringify({ pid: child.pid, began: '' }));
  const lock = await lockData(folder);
  expect(JSON.parse(readFileSync(join(folder, 'lock'), 'utf8'))).toMatchObject({ pid: process.pid });
  await lock.release();
});

test('so is one of an earlier process with the same number, and one that cannot be read', async () => {
  const folder = newFolder();
  for (const left of [JSON.stringify({ pid: process.pid, began: 'another boot/1' }), 'torn', '']) {
    writeFileSync(join(folder, 'lock'), left);
    await (await lockData(folder)).release();
    expect(readdirSync(folder)).toEqual([]);
  }
});

test('of many that try to take over a dead lock at once, one succeeds', async () => {
  const folder = newFolder();
  writeFileSync(join(folder, 'lock'), 'torn');
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockData(folder)));
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const result of results) {
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'NODE_DATA_LOCKED' });
    else await result.value.release();
  }
  expect(readdirSync(folder)).toEqual([]);
});
