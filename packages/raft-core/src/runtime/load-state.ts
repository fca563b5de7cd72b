import { decodeConfiguration, type ConfigurationAt } from '../core/configuration.js';
import { RaftError } from '../core/errors.js';
import type { HardStateValue } from '../core/inputs.js';
import { TermRuns } from '../core/term-runs.js';
import { EntryType, type LogIndex, type SnapshotMeta } from '../core/types.js';
import type { LogStore } from '../ports/log-store.js';
import type { SnapshotBytes, StateMachine } from '../ports/state-machine.js';
import type { SnapshotSource, SnapshotStore } from '../ports/snapshot-store.js';
import type { StableStore } from '../ports/stable-store.js';

/** Bytes of log read at once while starting. */
const READ_BYTES = 4 << 20;

/** What the stores hold, in the form that the core starts from. */
export interface LoadedState {
  readonly hardState: HardStateValue | null;
  readonly terms: TermRuns;
  readonly configurations: readonly ConfigurationAt[];
  readonly snapshot: SnapshotMeta | null;
}

/** Whether the stores hold anything of a cluster; then `bootstrap` must not be called. */
export async function hasExistingState(
  logStore: LogStore,
  stableStore: StableStore,
  snapshotStore: SnapshotStore,
): Promise<boolean> {
  if ((await stableStore.load()) !== null || logStore.lastIndex > 0) return true;
  return (await snapshotStore.list()).length > 0;
}

/**
 * Restores the state machine from the newest snapshot and reads the log's terms and configurations.
 *
 * @throws RaftError RAFT_STORE_CORRUPT when the stores contradict each other, RAFT_STATE_MACHINE_FAILED
 */
export async function loadState(
  stores: { readonly logStore: LogStore; readonly stableStore: StableStore; readonly snapshotStore: SnapshotStore },
  stateMachine: StateMachine<unknown>,
): Promise<LoadedState> {
  const hardState = await stores.stableStore.load();
  const snapshot = (await stores.snapshotStore.list())[0] ?? null;
  if (snapshot !== null) await restoreFrom(await stores.snapshotStore.open(snapshot.id), stateMachine);
  await alignLog(stores.logStore, snapshot);
  const { terms, configurations } = await scanLog(stores.logStore, snapshot);
  return { hardState, terms, configurations, snapshot };
}

/** Feeds a snapshot to the state machine and closes it. @throws RaftError RAFT_STATE_MACHINE_FAILED, RAFT_STORE_CORRUPT */
export async function restoreFrom(source: SnapshotSource, stateMachine: StateMachine<unknown>): Promise<void> {
  try {
    await stateMachine.restore(bytesOf(source));
  } catch (cause) {
    if (cause instanceof RaftError) throw cause;
    throw new RaftError('RAFT_STATE_MACHINE_FAILED', `the state machine refused snapshot ${source.meta.id}`, {}, cause);
  } finally {
    await source.close();
  }
}

async function* bytesOf(source: SnapshotSource): SnapshotBytes {
  let offset = 0;
  while (offset < source.meta.size) {
    const chunk = await source.read(offset, 1 << 20);
    if (chunk.length === 0)
      throw new RaftError(
        'RAFT_STORE_CORRUPT',
        `snapshot ${source.meta.id} ends at ${offset} of ${source.meta.size} bytes`,
      );
    offset += chunk.length;
    yield chunk;
  }
}

/** A crash between "snapshot stored" and "log discarded" leaves a log that the snapshot has overtaken. */
async function alignLog(logStore: LogStore, snapshot: SnapshotMeta | null): Promise<void> {
  const before = logStore.firstIndex - 1;
  if (snapshot === null) {
    if (before > 0)
      throw new RaftError(
        'RAFT_STORE_CORRUPT',
        `the log begins at ${before + 1}, and there is no snapshot of what lies before`,
      );
    return;
  }
  if (before > snapshot.index) {
    throw new RaftError(
      'RAFT_STORE_CORRUPT',
      `the log begins at ${before + 1}, but the newest snapshot ends at ${snapshot.index}`,
    );
  }
  if (before === snapshot.index) return;
  const joins =
    logStore.lastIndex >= snapshot.index &&
    (await logStore.read(snapshot.index, snapshot.index, 1))[0]!.term === snapshot.term;
  if (!joins) await logStore.reset(snapshot.index + 1);
}

async function scanLog(
  logStore: LogStore,
  snapshot: SnapshotMeta | null,
): Promise<{ terms: TermRuns; configurations: ConfigurationAt[] }> {
  const { firstIndex, lastIndex } = logStore;
  const configurations: ConfigurationAt[] =
    snapshot === null
      ? [{ index: 0, configuration: { servers: [] } }]
      : [{ index: snapshot.configurationIndex, configuration: snapshot.configuration }];
  let terms: TermRuns | null = null;
  // The term before the first entry is known only where a snapshot ends there. Else the first entry takes that place:
  // it stays in the store, and is never sent.
  if (firstIndex === 1) terms = new TermRuns(0, 0);
  else if (snapshot !== null && snapshot.index === firstIndex - 1) terms = new TermRuns(snapshot.index, snapshot.term);
  let index: LogIndex = firstIndex;
  while (index <= lastIndex) {
    const entries = await logStore.read(index, lastIndex, READ_BYTES);
    for (const entry of entries) {
      if (entry.index !== index || entry.term < (terms?.lastTerm ?? 0)) {
        throw new RaftError(
          'RAFT_STORE_CORRUPT',
          `the log holds (${entry.index}, term ${entry.term}) where entry ${index} belongs`,
        );
      }
      index++;
      if (terms === null) terms = new TermRuns(entry.index, entry.term);
      else terms.push(entry.term);
      if (entry.type === EntryType.configuration && entry.index > configurations[0]!.index) {
        configurations.push({ index: entry.index, configuration: decodeConfiguration(entry.data) });
      }
    }
  }
  return { terms: terms ?? new TermRuns(0, 0), configurations };
}
