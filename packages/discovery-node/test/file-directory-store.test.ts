import { hash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import type { StoredDirectory } from '@discovery-raft/discovery-consensus-fsm';
import { DiscoveryDirectorySchema, DiscoveryListingSchema } from '@discovery-raft/protocol';
import { FileDirectoryStore } from '../src/directory/file-directory-store.js';
import { newFolder, removeFolders } from './fixtures/folder.js';

afterAll(removeFolders);

function directoryOf(round: number): StoredDirectory {
  const listing = create(DiscoveryListingSchema, { version: 'v', items: [], creation: BigInt(round * 900) });
  const bytes = toBinary(DiscoveryListingSchema, listing);
  return {
    round,
    creation: round * 900,
    expiration: (round + 3) * 900,
    digest: new Uint8Array(hash('sha256', bytes, 'buffer')),
    items: 5,
    directory: create(DiscoveryDirectorySchema, {
      directory: bytes,
      signatures: [{ certificate: Uint8Array.of(1), signature: Uint8Array.of(2) }],
    }),
  };
}

async function open(folder: string): Promise<FileDirectoryStore> {
  return FileDirectoryStore.open({ folder });
}

test('a new folder holds nothing; only its owner may look into it', async () => {
  const folder = join(newFolder(), 'deep', 'directories');
  const store = await open(folder);
  expect(await store.load()).toEqual({ directory: null, signed: null, promise: null });
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test('the newest directory and the last promise come back in another process', async () => {
  const folder = newFolder();
  const store = await open(folder);
  for (const round of [7, 8]) await store.saveDirectory(directoryOf(round));
  await store.recordSigned({ round: 9, digest: new Uint8Array(32).fill(7) });
  const { directory, signed } = await (await open(folder)).load();
  expect(directory).toEqual(directoryOf(8));
  expect(signed).toEqual({ round: 9, digest: new Uint8Array(32).fill(7) });
});

test('three directories are kept by default; files are private', async () => {
  const folder = newFolder();
  const store = await open(folder);
  for (const round of [9, 10, 11, 100]) await store.saveDirectory(directoryOf(round));
  const names = readdirSync(folder).sort();
  expect(names).toEqual(['directory-10.bin', 'directory-100.bin', 'directory-11.bin']);
  for (const name of names) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
});

describe('after a crash', () => {
  test('what a write left halfway is cleared away, and the old content counts', async () => {
    const folder = newFolder();
    await (await open(folder)).saveDirectory(directoryOf(7));
    writeFileSync(join(folder, 'directory-8.bin.0123456789ab.tmp'), 'half');
    const { directory } = await (await open(folder)).load();
    expect(directory?.round).toBe(7);
    expect(readdirSync(folder)).toEqual(['directory-7.bin']);
  });

  test('a directory that is torn at any length is passed over for the one before', async () => {
    const folder = newFolder();
    const store = await open(folder);
    await store.saveDirectory(directoryOf(7));
    await store.saveDirectory(directoryOf(8));
    const file = join(folder, 'directory-8.bin');
    const whole = readFileSync(file);
    for (let length = 0; length < whole.length; length += 7) {
      truncateSync(file, length);
      expect((await (await open(folder)).load()).directory?.round).toBe(7);
      writeFileSync(file, whole);
    }
  });

  test('any byte that is turned is noticed', async () => {
    const folder = newFolder();
    const store = await open(folder);
    await store.saveDirectory(directoryOf(8));
    const file = join(folder, 'directory-8.bin');
    const whole = readFileSync(file);
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 0x10;
      writeFileSync(file, damaged);
      expect((await store.load()).directory).toBeNull();
    }
  });

  test('a damaged promise stops the start, since the node could sign twice; the error says what to do', async () => {
    const folder = newFolder();
    const store = await open(folder);
    await store.recordSigned({ round: 9, digest: new Uint8Array(32) });
    const file = join(folder, 'signed-round.bin');
    for (const length of [0, 8, 40, statSync(file).size - 1]) {
      truncateSync(file, length);
      await expect(store.load()).rejects.toMatchObject({
        code: 'NODE_DATA_CORRUPT',
        message: expect.stringContaining('wait until the present slot has ended, then delete the file'),
      });
    }
  });

  test('the promise that a signature on a trust root is comes back; a damaged one stops the start too', async () => {
    const folder = newFolder();
    const store = await open(folder);
    const promise = { version: 2, activation: 1_800_000_000, digest: new Uint8Array(32).fill(7) };
    await store.recordPromise(promise);
    expect((await (await open(folder)).load()).promise).toEqual(promise);
    truncateSync(join(folder, 'root-promise.bin'), 50);
    await expect(store.load()).rejects.toMatchObject({
      code: 'NODE_DATA_CORRUPT',
      message: expect.stringContaining('make sure that it has the newest trust root'),
    });
  });
});
