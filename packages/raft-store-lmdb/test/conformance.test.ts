import {
  logStoreConformance,
  snapshotStoreConformance,
  stableStoreConformance,
} from '@discovery-raft/raft-core/conformance';
import type { LmdbStore } from '../src/index.js';
import { openTemp, reopen } from './support/temp.js';

/** Gives one port of new stores, and of stores that are opened again. */
function portOf<Port extends object>(pick: (store: LmdbStore) => Port, options = {}) {
  const stores = new WeakMap<Port, LmdbStore>();
  const keep = (store: LmdbStore): Port => {
    stores.set(pick(store), store);
    return pick(store);
  };
  return {
    create: async () => keep(await openTemp(options)),
    reopen: async (port: Port) => keep(await reopen(stores.get(port)!, options)),
  };
}

const log = portOf((store) => store.logStore);
const uncached = portOf((store) => store.logStore, { cacheBytes: 0, maxWaitingTombstones: 2 });
const stable = portOf((store) => store.stableStore);
const snapshots = portOf((store) => store.snapshotStore);

describe.each([
  ['log store', logStoreConformance(log.create, log)],
  ['log store without a cache', logStoreConformance(uncached.create, uncached)],
  ['stable store', stableStoreConformance(stable.create, stable)],
  ['snapshot store', snapshotStoreConformance(snapshots.create, snapshots)],
])('%s', (_name, checks) => {
  test.each(checks.map((check) => [check.name, check.run] as const))('%s', async (_check, run) => {
    await expect(run()).resolves.toBeUndefined();
  });
});
