import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LmdbStore, type LmdbStoreOptions } from '../../src/index.js';
import { openStore, type StoreLayers } from '../../src/lmdb-store.js';

const directories: string[] = [];
const stores = new Set<LmdbStore>();

/** A directory that is removed after the test. */
export function tempDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'raft-store-'));
  directories.push(path);
  return path;
}

/** A store that is closed after the test. */
export async function openTemp(options: Partial<LmdbStoreOptions> = {}, layers: StoreLayers = {}): Promise<LmdbStore> {
  const store = await openStore({ path: tempDirectory(), ...options }, layers);
  stores.add(store);
  return store;
}

/** Closes a store and opens it again, as a process that starts anew does. */
export async function reopen(store: LmdbStore, options: Partial<LmdbStoreOptions> = {}): Promise<LmdbStore> {
  await store.close();
  return openTemp({ path: store.path, ...options });
}

afterEach(async () => {
  for (const store of stores) await store.close();
  stores.clear();
  for (const path of directories.splice(0)) rmSync(path, { recursive: true, force: true });
});
