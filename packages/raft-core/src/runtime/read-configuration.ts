import type { ConfigurationAt } from '../core/configuration.js';
import type { LogStore } from '../ports/log-store.js';
import type { SnapshotStore } from '../ports/snapshot-store.js';
import { listSnapshots, logJoins, scanLog } from './load-state.js';

/**
 * The newest configuration that a server's stores hold, read without starting it; null for stores of no cluster. It need not
 * be committed. Nothing is written (hashicorp/raft's `GetConfiguration`).
 *
 * @param stores of a server that does not run
 * @throws RaftError RAFT_STORE_FAILED, RAFT_STORE_CORRUPT
 */
export async function readConfiguration(stores: {
  readonly logStore: LogStore;
  readonly snapshotStore: SnapshotStore;
}): Promise<ConfigurationAt | null> {
  const { logStore, snapshotStore } = stores;
  const snapshot = (await listSnapshots(snapshotStore))[0] ?? null;
  if (snapshot !== null && !(await logJoins(logStore, snapshot))) {
    return { index: snapshot.configurationIndex, configuration: snapshot.configuration };
  }
  const newest = (await scanLog(logStore, snapshot)).configurations.at(-1)!;
  return newest.configuration.servers.length === 0 ? null : newest;
}
