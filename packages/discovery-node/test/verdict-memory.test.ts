import { hash } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { DigestTable, ENTRY_BYTES, LAST_SECOND, writeEntry } from '../src/verdicts/digest-table.js';
import { VerdictMemory } from '../src/verdicts/verdict-memory.js';
import { newFolder, removeFolders } from './fixtures/folder.js';

afterAll(removeFolders);

const PERIOD = { notBefore: 10, notAfter: 20 };
const digestOf = (name: number | string): Uint8Array => hash('sha256', String(name), 'buffer');

type Options = Partial<Parameters<typeof VerdictMemory.open>[0]>;

function open(folder: string, options: Options = {}): Promise<VerdictMemory> {
  return VerdictMemory.open({ folder, ...options });
}

/** Notes verdicts in one life of a process. */
async function noted(folder: string, names: readonly number[], options: Options = {}): Promise<void> {
  const memory = await open(folder, options);
  for (const name of names) memory.note(digestOf(name), PERIOD);
  await memory.close();
}

const fileOf = (folder: string, age: 'new' | 'old' = 'new'): string => join(folder, `verdicts-${age}.bin`);

test('what was noted is recalled in the next life of the process, with its period, and nothing else is', async () => {
  const folder = join(newFolder(), 'verdicts');
  await noted(folder, [1, 2, 3]);
  await noted(folder, [4]);
  const memory = await open(folder);
  expect([1, 2, 3, 4].map((name) => memory.recall(digestOf(name)))).toEqual([PERIOD, PERIOD, PERIOD, PERIOD]);
  expect([5, 'x'].map((name) => memory.recall(digestOf(name)))).toEqual([undefined, undefined]);
  expect(memory.size).toBe(4);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(statSync(fileOf(folder)).mode & 0o777).toBe(0o600);
  await memory.close();
});

test('of a file that is cut short or damaged anywhere the blocks before are good, and it can be gone on with', async () => {
  const folder = newFolder();
  for (const name of [1, 2, 3]) await noted(folder, [name]);
  const whole = readFileSync(fileOf(folder));
  const head = 8;
  const block = 4 + 16 + ENTRY_BYTES;
  expect(whole).toHaveLength(head + 3 * block);
  for (let at = 0; at < whole.length; at++) {
    const before = at < head ? 0 : Math.floor((at - head) / block);
    const damaged = Buffer.from(whole);
    damaged[at]! ^= 0x10;
    for (const bytes of [whole.subarray(0, at), damaged]) {
      writeFileSync(fileOf(folder), bytes);
      await noted(folder, [9]);
      const memory = await open(folder);
      const found = [1, 2, 3, 9].filter((name) => memory.recall(digestOf(name)) !== undefined);
      expect(found).toEqual([...[1, 2, 3].slice(0, before), 9]);
      await memory.close();
    }
  }
});

test('a full file becomes the old one: what is still of use goes on, the rest is forgotten, and the size is bounded', async () => {
  const folder = newFolder();
  const options = { maxFileBytes: 500 };
  await noted(folder, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  await noted(folder, [13], options);
  const memory = await open(folder, options);
  expect(memory.size).toBe(13);
  expect(memory.recall(digestOf(2))).toEqual(PERIOD);
  memory.note(digestOf(14), PERIOD);
  await memory.close();
  await noted(folder, [20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
  await noted(folder, [30], options);
  const last = await open(folder, options);
  expect([1, 2, 13, 14, 20, 30].filter((name) => last.recall(digestOf(name)) !== undefined)).toEqual([
    2, 13, 14, 20, 30,
  ]);
  await last.close();
});

test('a file that is larger than it may be is begun anew, before memory is taken for it', async () => {
  const folder = newFolder();
  await noted(folder, [1]);
  writeFileSync(fileOf(folder), Buffer.concat([readFileSync(fileOf(folder)), Buffer.alloc(1_000_000)]));
  const memory = await open(folder, { maxFileBytes: 1000 });
  expect(memory.size).toBe(0);
  await memory.close();
  expect(statSync(fileOf(folder)).size).toBe(8);
});

test('a memory that cannot be written goes on without', async () => {
  const folder = newFolder();
  const warnings: string[] = [];
  const logger = { debug() {}, info() {}, error() {}, warn: (text: string) => void warnings.push(text) };
  const memory = await open(folder, { maxFileBytes: 0, logger });
  // The old file's name is taken by a folder, so the new one cannot become it.
  await VerdictMemory.open({ folder: fileOf(folder, 'old') }).then((inner) => inner.close());
  memory.note(digestOf(1), PERIOD);
  await memory.flush();
  memory.note(digestOf(2), PERIOD);
  await memory.close();
  expect(warnings).toHaveLength(1);
});

test('a table finds what is in it, whatever the digests', () => {
  const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => bytes.map((byte) => byte % 2));
  fc.assert(
    fc.property(fc.array(digest, { maxLength: 60 }), fc.array(digest, { maxLength: 5 }), (inside, others) => {
      const entries = Buffer.alloc(inside.length * ENTRY_BYTES);
      const expected = new Map<string, number>();
      inside.forEach((each, i) => {
        writeEntry(entries, i * ENTRY_BYTES, each, { notBefore: i, notAfter: Infinity });
        expected.set(String(each), i);
      });
      const cut = ENTRY_BYTES * (inside.length >> 1);
      const table = new DigestTable([entries.subarray(0, cut), entries.subarray(cut)]);
      expect(table.size).toBe(expected.size);
      for (const each of [...inside, ...others]) {
        const notBefore = expected.get(String(each));
        expect(table.find(each)).toEqual(notBefore === undefined ? undefined : { notBefore, notAfter: LAST_SECOND });
      }
    }),
  );
});
