import { checkConfiguration } from '../core/configuration.js';
import { RaftError } from '../core/errors.js';
import { EntryType, type Configuration, type LogEntry, type SnapshotMeta } from '../core/types.js';
import type { LogStore } from '../ports/log-store.js';
import type { SnapshotStore } from '../ports/snapshot-store.js';
import type { StableStore } from '../ports/stable-store.js';
import type { StateMachine, StateMachineSnapshot } from '../ports/state-machine.js';
import { hasExistingState, loadState } from './load-state.js';
import type { LogEnd } from './read-log-end.js';
import { storeCall } from './store-call.js';
import { storeFrozen } from './store-frozen.js';

/** Bytes of log read at once. */
const READ_BYTES = 4 << 20;

/** What a recovery works on; no node may use it meanwhile. */
export interface RecoverOptions {
  readonly logStore: LogStore;
  readonly stableStore: StableStore;
  readonly snapshotStore: SnapshotStore;
  /** A fresh one; it must not be used afterwards. */
  readonly stateMachine: StateMachine<unknown>;
  /** Who belongs to the cluster from now on; see {@link parsePeersJson}. */
  readonly configuration: Configuration;
  /** Where the log must end, as `readLogEnd` tells of the server that has most; stores that end elsewhere are refused. */
  readonly expectedEnd?: LogEnd;
}

/**
 * Gives a cluster that has lost its quorum for good another configuration, offline (hashicorp/raft's `RecoverCluster`). To
 * be called, while no server runs, with the same configuration on the stores of each server that it names; then these are
 * started, and no other.
 *
 * It may name only servers whose logs end alike, at the end that has most of all that are left; see `readLogEnd`. The rest
 * join later, with empty stores and new ids. Were servers with shorter logs recovered too, a majority of them could elect
 * one of its own, and what only the longest log holds would be lost; and logs that contradict each other would both be
 * taken as committed.
 *
 * Everything in the log is taken as committed, also what never was. The log is replaced by a snapshot of the state behind
 * it. A crash in the middle does no harm: call it again.
 *
 * @returns the snapshot that it took; its index and term are where the log ended
 * @throws RaftError RAFT_INVALID_CONFIGURATION, RAFT_INVALID_OPTION when there is nothing to recover or the log ends elsewhere
 *   than expected, RAFT_STORE_FAILED, RAFT_STORE_CORRUPT, RAFT_STATE_MACHINE_FAILED, RAFT_SNAPSHOT_FAILED
 */
export async function recoverCluster(options: RecoverOptions): Promise<SnapshotMeta> {
  const { logStore, stableStore, snapshotStore, configuration } = options;
  checkConfiguration(configuration);
  if (!(await hasExistingState(logStore, stableStore, snapshotStore))) {
    throw new RaftError('RAFT_INVALID_OPTION', 'these stores hold nothing to recover; bootstrap a new cluster instead');
  }
  const { snapshot, terms, redactedThrough } = await loadState(options, options.stateMachine);
  const index = terms.lastIndex;
  if (index === 0) {
    throw new RaftError('RAFT_INVALID_OPTION', 'this server has a term and no entry: it holds nothing to recover');
  }
  const { expectedEnd = { index, term: terms.lastTerm } } = options;
  if (expectedEnd.index !== index || expectedEnd.term !== terms.lastTerm) {
    throw new RaftError(
      'RAFT_INVALID_OPTION',
      `the log ends at ${index} of term ${terms.lastTerm}, and not at ${expectedEnd.index} of term ${expectedEnd.term}`,
      { option: 'expectedEnd', index, term: terms.lastTerm },
    );
  }
  if (redactedThrough > index) {
    const message = `the log ends at ${index}, and entry ${redactedThrough}, which superseded a redacted one, is missing`;
    throw new RaftError('RAFT_STORE_CORRUPT', `${message}: recover a server that has it`);
  }
  await replay(options, (snapshot?.index ?? 0) + 1, index);
  const meta = { version: 1, index, term: terms.lastTerm, configuration, configurationIndex: index };
  const stored = await storeFrozen(options.snapshotStore, meta, freeze(options.stateMachine));
  await storeCall('resetting the log', () => logStore.reset(index + 1));
  return stored;
}

/** Applies what the log holds behind the snapshot. What is redacted meanwhile needs no tombstone: the log goes. */
async function replay({ logStore, stateMachine }: RecoverOptions, from: number, to: number): Promise<void> {
  let index = from;
  while (index <= to) {
    const at = index;
    const entries = await storeCall('reading the log', () => logStore.read(at, to, READ_BYTES));
    for (const entry of entries) apply(stateMachine, entry);
    index += entries.length;
  }
}

function apply(stateMachine: StateMachine<unknown>, entry: LogEntry): void {
  try {
    if (entry.type === EntryType.command) stateMachine.apply(entry, { redact: () => undefined });
    else if (entry.type === EntryType.tombstone) stateMachine.applyTombstone?.(entry);
  } catch (cause) {
    throw new RaftError('RAFT_STATE_MACHINE_FAILED', `the state machine refused entry ${entry.index}`, {}, cause);
  }
}

function freeze(stateMachine: StateMachine<unknown>): StateMachineSnapshot {
  try {
    return stateMachine.snapshot();
  } catch (cause) {
    throw new RaftError('RAFT_STATE_MACHINE_FAILED', 'the state machine could not freeze its state', {}, cause);
  }
}
