import { join } from 'node:path';
import { recoverCluster, type Configuration } from '@discovery-raft/raft-core';
import { LmdbStore } from '@discovery-raft/raft-store-lmdb';
import type { LoadedConfig } from '../config/load.js';
import { newDiscoveryList } from '../pki/list-schema.js';
import { lockData } from './data-lock.js';

/**
 * Gives the stores of a node that does not run another configuration; see `recoverCluster` of raft-core.
 *
 * @returns the log index at which the state was kept
 * @throws NodeError NODE_DATA_LOCKED; RaftError of the recovery and the store
 */
export async function recoverNode({ config, path }: LoadedConfig, configuration: Configuration): Promise<number> {
  const dataFolder = path(config.data.directory);
  const lock = await lockData(dataFolder);
  try {
    const store = await LmdbStore.open({ path: join(dataFolder, 'raft'), maxBytes: config.data.maxBytes });
    try {
      const { logStore, stableStore, snapshotStore } = store;
      const stateMachine = newDiscoveryList();
      const { index } = await recoverCluster({ logStore, stableStore, snapshotStore, stateMachine, configuration });
      return index;
    } finally {
      await store.close();
    }
  } finally {
    await lock.release();
  }
}
