import { mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { decodeCache, encodeCache } from '../src/cache/cache-format.js';
import { DirectoryCache } from '../src/cache/directory-cache.js';
import { createTrustRoot } from '@discovery-raft/psp-pki';
import { testFolder } from './fixtures/folder.js';
import { listing, listingOfRound, network, NOON, official, signed, SLOT, tampered } from './fixtures/network.js';
import { World } from './fixtures/world.js';

const folder = testFolder();
const { root, identities } = network(4);
const good = signed(listing(), identities);
const old = signed(listingOfRound(-2), identities);
const DAMAGED = 'the directory cache is damaged and begins anew';
let files = 0;

/** A path where a client has left `good`. */
async function filled(): Promise<string> {
  const cachePath = folder.path(`filled-${files++}/directory`);
  const world = new World([{ directory: good }]);
  await world.settled(world.client({ root, cachePath }).getFullList(1000));
  return cachePath;
}

describe('the format', () => {
  const state = { seen: { creation: NOON, fullDigest: new Uint8Array(32).fill(7) }, directory: Uint8Array.of(1, 2, 3) };

  test('comes back as it was, with a directory and without', () => {
    expect(decodeCache(encodeCache(state))).toEqual(state);
    expect(decodeCache(encodeCache({ ...state, directory: null }))).toEqual({ ...state, directory: null });
  });

  test('a bit turned, a byte missing or one too many anywhere is found', () => {
    const bytes = encodeCache(state);
    for (let at = 0; at < bytes.length; at++) {
      expect(decodeCache(tampered(bytes, at))).toBeUndefined();
      expect(decodeCache(bytes.subarray(0, at))).toBeUndefined();
    }
    expect(decodeCache(new Uint8Array([...bytes, 0]))).toBeUndefined();
  });
});

describe('the file', () => {
  test('is for its owner alone, and no other file stays beside it', async () => {
    const path = await filled();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(dirname(path))).toEqual(['directory']);
  });

  test('is replaced whole: the last of many writes is there', async () => {
    const path = folder.path('many');
    const cache = new DirectoryCache(path, 1000);
    const state = (creation: number) => ({ seen: { creation, fullDigest: new Uint8Array(32) }, directory: null });
    await Promise.all(Array.from({ length: 20 }, (_, i) => cache.save(state(i))));
    await expect(cache.load()).resolves.toEqual({ found: 'state', state: state(19) });
  });

  test('that is not there, or cannot be read or written, is told apart', async () => {
    await expect(new DirectoryCache(folder.path('nothing'), 1000).load()).resolves.toEqual({ found: 'nothing' });
    const path = folder.path('a-folder');
    await mkdir(path);
    const cache = new DirectoryCache(path, 100_000);
    await expect(cache.load()).rejects.toMatchObject({ code: 'CLIENT_CACHE_FAILED' });
    const state = { seen: { creation: 1, fullDigest: new Uint8Array(32) }, directory: null };
    await expect(cache.save(state)).rejects.toMatchObject({ code: 'CLIENT_CACHE_FAILED', retryable: true });
    expect((await readdir(folder.path(''))).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('keeps the mark when a server pads a directory beyond the bound', async () => {
    const cachePath = folder.path('padded');
    const signatures = [...good.signatures, ...Array.from({ length: 50 }, () => good.signatures[0]!)];
    const world = new World([{ directory: { ...good, signatures } }]);
    const client = world.client({ root, cachePath, maxDirectoryBytes: good.directory.length });
    await world.settled(client.getFullList(1000));
    expect(decodeCache(await readFile(cachePath))).toMatchObject({ seen: { creation: NOON }, directory: null });
  });

  test('over the bound is not read', async () => {
    const path = folder.path('large');
    await writeFile(path, '');
    await truncate(path, 10_000_000_000);
    await expect(new DirectoryCache(path, 1000).load()).resolves.toEqual({ found: 'damaged' });
  });
});

describe('after a restart', () => {
  test('the directory is there without a question, and is judged again', async () => {
    const cachePath = await filled();
    const world = new World([{ connection: 'refuse' }], 20);
    const list = await world.settled(world.client({ root, cachePath }).getFullList(1000));
    expect(list).toMatchObject({ source: 'cache', ageSeconds: 20, directory: { creation: NOON, complete: true } });
    expect(world.connected).toEqual([]);
  });

  test('it stands in when nobody can be reached, as long as it holds', async () => {
    const cachePath = await filled();
    const world = new World([{ connection: 'refuse' }], 2 * SLOT);
    const list = await world.settled(world.client({ root, cachePath }).getFullList(1000));
    expect(list).toMatchObject({ source: 'cache', missedRounds: 1, answers: [{ code: 'unknown' }] });
    const later = new World([{ connection: 'refuse' }], 3 * SLOT);
    await expect(later.settled(later.client({ root, cachePath }).getFullList(1000))).rejects.toMatchObject({
      code: 'CLIENT_NO_GOOD_ANSWER',
    });
  });

  test('nothing older than what was seen comes in', async () => {
    const cachePath = await filled();
    const world = new World([{ directory: old, extensions: false }], 20);
    const list = await world.settled(world.client({ root, cachePath }).refresh(1000));
    expect(list).toMatchObject({ source: 'cache', answers: [{ code: 'rolledBack' }] });
  });

  test('not even when the directory was cleared, or has expired', async () => {
    const cachePath = await filled();
    const world = new World([{ directory: old }], 20);
    const client = world.client({ root, cachePath });
    await world.settled(client.clearCache());
    await expect(world.settled(client.getFullList(1000))).rejects.toMatchObject({
      details: { answers: [{ code: 'rolledBack' }] },
    });
    const again = new World([{ directory: old }], 20);
    await expect(again.settled(again.client({ root, cachePath }).getFullList(1000))).rejects.toMatchObject({
      details: { answers: [{ code: 'rolledBack' }] },
    });
  });

  test('unless the client is told to forget that too', async () => {
    const cachePath = await filled();
    const world = new World([{ directory: old }], 20);
    const client = world.client({ root, cachePath });
    await world.settled(client.clearCache({ forgetSeen: true }));
    const asked = client.getFullList(1000);
    await world.until(() => world.connected.length === 1);
    await expect(world.settled(asked)).resolves.toMatchObject({ directory: { creation: NOON - 2 * SLOT } });
  });

  test('a clear cache asks again, and takes the same directory again', async () => {
    const world = new World([{ directory: good }]);
    const client = world.client({ root });
    await world.settled(client.getFullList(1000));
    await world.settled(client.clearCache());
    await expect(world.settled(client.getFullList(1000))).resolves.toMatchObject({ directory: { creation: NOON } });
    expect(world.connected).toHaveLength(2);
  });
});

describe('a cache that is not to be trusted', () => {
  test.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ['damaged', (bytes) => tampered(bytes, 100)],
    ['cut off', (bytes) => bytes.subarray(0, 200)],
    ['empty', () => new Uint8Array(0)],
    ['something else', () => new TextEncoder().encode('{"directory": []}'.repeat(20))],
  ])('%s: it begins anew and says so', async (_, change) => {
    const cachePath = await filled();
    await writeFile(cachePath, change(await readFile(cachePath)));
    const world = new World([{ directory: good }], 20);
    const list = await world.settled(world.client({ root, cachePath }).getFullList(1000));
    expect(list).toMatchObject({ source: 'n0:1' });
    expect(world.warnings).toEqual([DAMAGED]);
    expect(decodeCache(await readFile(cachePath))?.seen.creation).toBe(NOON);
  });

  test('forged: whoever can write it cannot sign', async () => {
    const cachePath = await filled();
    const state = decodeCache(await readFile(cachePath))!;
    await writeFile(cachePath, encodeCache({ ...state, directory: tampered(state.directory!, 300) }));
    const world = new World([{ directory: good }], 20);
    const list = await world.settled(world.client({ root, cachePath }).getFullList(1000));
    expect(list).toMatchObject({ source: 'n0:1' });
  });

  test('of another directory than its mark: the directory is not used', async () => {
    const cachePath = await filled();
    const state = decodeCache(await readFile(cachePath))!;
    await writeFile(cachePath, encodeCache({ ...state, seen: { ...state.seen, creation: NOON + 1 } }));
    const world = new World([{ directory: good }], 20);
    await expect(world.settled(world.client({ root, cachePath }).getFullList(1000))).rejects.toMatchObject({
      details: { answers: [{ code: 'rolledBack' }] },
    });
    expect(world.warnings).toEqual(['the cached directory is not the one seen']);
  });

  test('of a network that this client’s root does not know: the mark stays, the directory does not', async () => {
    const cachePath = await filled();
    const strangers = createTrustRoot({
      authorities: root.authorities,
      discoveryNodes: [1, 2, 3, 4].map((i) => official(`stranger ${i}`, 'discovery').identity),
    });
    const world = new World([{ directory: good }], 20);
    await expect(world.settled(world.client({ root: strangers, cachePath }).getFullList(1000))).rejects.toMatchObject({
      details: { answers: [{ code: 'quorumMissing' }] },
    });
  });

  test('that cannot be written: the client works, and says what it lacks', async () => {
    const cachePath = folder.path('occupied');
    await mkdir(cachePath);
    const world = new World([{ directory: good }]);
    await expect(world.settled(world.client({ root, cachePath }).getFullList(1000))).resolves.toMatchObject({
      source: 'n0:1',
    });
    expect(world.warnings).toEqual([
      'the directory cache cannot be read',
      'the directory cannot be cached: after a restart this client may take an older one',
    ]);
  });
});
