import type { LogIndex, Term } from '../core/types.js';
import type { LogStore } from '../ports/log-store.js';
import type { SnapshotStore } from '../ports/snapshot-store.js';
import { listSnapshots, logJoins, scanLog } from './load-state.js';

/** Index and term of a log's last entry, or of the one that the newest snapshot ends with. */
export interface LogEnd {
  readonly index: LogIndex;
  readonly term: Term;
}

/**
 * Where the log in a server's stores ends, read without starting it. Nothing is written. For `recoverCluster`: of two ends
 * the one of the greater term has more, and of two of one term the one of the greater index (Raft paper, section 5.4.1).
 *
 * @param stores of a server that does not run
 * @returns index and term 0 for stores that hold no entry
 * @throws RaftError RAFT_STORE_FAILED, RAFT_STORE_CORRUPT
 */
export async function readLogEnd(stores: {
  readonly logStore: LogStore;
  readonly snapshotStore: SnapshotStore;
}): Promise<LogEnd> {
  const { logStore, snapshotStore } = stores;
  const snapshot = (await listSnapshots(snapshotStore))[0] ?? null;
  if (snapshot !== null && !(await logJoins(logStore, snapshot))) {
    return { index: snapshot.index, term: snapshot.term };
  }
  const { terms } = await scanLog(logStore, snapshot);
  return { index: terms.lastIndex, term: terms.lastTerm };
}
