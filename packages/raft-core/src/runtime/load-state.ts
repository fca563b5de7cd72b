import { decodeConfiguration, type ConfigurationAt } from '../core/configuration.js';
import { RaftError } from '../core/errors.js';
import type { HardStateValue } from '../core/inputs.js';
import { TermRuns } from '../core/term-runs.js';
import { supersedingIndex } from '../core/tombstone.js';
import { EntryType, type LogEntry, type LogIndex, type SnapshotMeta } from '../core/types.js';
import type { LogStore } from '../ports/log-store.js';
import type { SnapshotBytes, StateMachine } from '../ports/state-machine.js';
import type { SnapshotSource, SnapshotStore } from '../ports/snapshot-store.js';
import type { StableStore } from '../ports/stable-store.js';
import { storeCall } from './store-call.js';

/** Bytes of log read at once while starting. */
const READ_BYTES = 4 << 20;

/** What the stores hold, in the form that the core starts from. */
export interface LoadedState {
  readonly hardState: HardStateValue | null;
  readonly terms: TermRuns;
  readonly configurations: readonly ConfigurationAt[];
  readonly snapshot: SnapshotMeta | null;
  /** No superseding entry of a stored tombstone lies behind this; 0 when there is no tombstone. */
  readonly redactedThrough: LogIndex;
}

/**
 * Whether the stores hold anything of a cluster; then `bootstrap` must not be called.
 *
 * @throws RaftError RAFT_STORE_FAILED
 */
export async function hasExistingState(
  logStore: LogStore,
  stableStore: StableStore,
  snapshotStore: SnapshotStore,
): Promise<boolean> {
  if ((await loadHardState(stableStore)) !== null || logStore.lastIndex > 0) return true;
  return (await listSnapshots(snapshotStore)).length > 0;
}

/**
 * Restores the state machine from the newest snapshot and reads the log's terms and configurations.
 *
 * @throws RaftError RAFT_STORE_FAILED, RAFT_STORE_CORRUPT when the stores contradict each other,
 *   RAFT_STATE_MACHINE_FAILED
 */
export async function loadState(
  stores: { readonly logStore: LogStore; readonly stableStore: StableStore; readonly snapshotStore: SnapshotStore },
  stateMachine: StateMachine<unknown>,
): Promise<LoadedState> {
  const { logStore, snapshotStore } = stores;
  const hardState = await loadHardState(stores.stableStore);
  const snapshot = (await listSnapshots(snapshotStore))[0] ?? null;
  if (snapshot !== null) {
    await restoreFrom(await storeCall('opening a snapshot', () => snapshotStore.open(snapshot.id)), stateMachine);
  }
  await alignLog(logStore, snapshot);
  const scanned = await scanLog(logStore, snapshot);
  checkTerm(hardState, logStore, scanned.terms);
  return { hardState, snapshot, ...scanned };
}

async function loadHardState(stableStore: StableStore): Promise<HardStateValue | null> {
  return storeCall('loading term and vote', () => stableStore.load());
}

/** Complete snapshots, newest first. @throws RaftError RAFT_STORE_FAILED */
export async function listSnapshots(snapshotStore: SnapshotStore): Promise<readonly SnapshotMeta[]> {
  return storeCall('listing the snapshots', () => snapshotStore.list());
}

/** A term is saved before the first entry of it: if it is not there, the vote is gone too, and could be given twice. */
function checkTerm(hardState: HardStateValue | null, logStore: LogStore, terms: TermRuns): void {
  const term = hardState?.term ?? 0;
  if (logStore.lastIndex < logStore.firstIndex || terms.lastTerm <= term) return;
  throw new RaftError(
    'RAFT_STORE_CORRUPT',
    `the log reaches term ${terms.lastTerm}, but the stable store says ${term}: it has lost the term and the vote`,
  );
}

/** Feeds a snapshot to the state machine and closes it. @throws RaftError RAFT_STATE_MACHINE_FAILED, RAFT_STORE_CORRUPT */
export async function restoreFrom(source: SnapshotSource, stateMachine: StateMachine<unknown>): Promise<void> {
  try {
    await stateMachine.restore(bytesOf(source));
  } catch (cause) {
    if (cause instanceof RaftError) throw cause;
    throw new RaftError('RAFT_STATE_MACHINE_FAILED', `the state machine refused snapshot ${source.meta.id}`, {}, cause);
  } finally {
    await storeCall('closing a snapshot', () => source.close());
  }
}

async function* bytesOf(source: SnapshotSource): SnapshotBytes {
  let offset = 0;
  while (offset < source.meta.size) {
    const at = offset;
    const chunk = await storeCall('reading a snapshot', () => source.read(at, 1 << 20));
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
  if (!(await logJoins(logStore, snapshot))) {
    await storeCall('resetting the log', () => logStore.reset(snapshot.index + 1));
  }
}

/** Whether the log, which does not begin behind the snapshot's end by more than one, goes on from it. */
export async function logJoins(logStore: LogStore, { index, term }: SnapshotMeta): Promise<boolean> {
  if (logStore.firstIndex - 1 >= index) return true;
  return logStore.lastIndex >= index && (await readLog(logStore, index, index))[0]!.term === term;
}

async function readLog(logStore: LogStore, from: LogIndex, to: LogIndex): Promise<readonly LogEntry[]> {
  return storeCall('reading the log', () => logStore.read(from, to, READ_BYTES));
}

async function readOutline(logStore: LogStore, from: LogIndex, to: LogIndex): Promise<readonly LogEntry[]> {
  if (logStore.readOutline === undefined) return readLog(logStore, from, to);
  return storeCall('reading the log', () => logStore.readOutline!(from, to, READ_BYTES));
}

/** What the log says of terms, configurations and tombstones, on top of the snapshot. @throws RaftError as {@link loadState} */
export async function scanLog(
  logStore: LogStore,
  snapshot: SnapshotMeta | null,
): Promise<Pick<LoadedState, 'terms' | 'configurations' | 'redactedThrough'>> {
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
  let redactedThrough: LogIndex = 0;
  let index: LogIndex = firstIndex;
  while (index <= lastIndex) {
    const entries = await readOutline(logStore, index, lastIndex);
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
      if (entry.type === EntryType.tombstone && entry.index > (snapshot?.index ?? 0)) {
        redactedThrough = Math.max(redactedThrough, supersedingIndex(entry) ?? lastIndex);
      }
    }
  }
  return { terms: terms ?? new TermRuns(0, 0), configurations, redactedThrough };
}
