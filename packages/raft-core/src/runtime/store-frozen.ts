import { RaftError } from '../core/errors.js';
import type { SnapshotMeta } from '../core/types.js';
import type { MaybePromise } from '../ports/log-store.js';
import type { SnapshotSink, SnapshotStore } from '../ports/snapshot-store.js';
import type { StateMachineSnapshot } from '../ports/state-machine.js';
import { isPending } from './maybe-promise.js';

/**
 * Stores a frozen state as a snapshot, whole or not at all, and releases it.
 *
 * @throws RaftError RAFT_SNAPSHOT_FAILED, or the store's own; RAFT_STATE_MACHINE_FAILED when it cannot be released
 */
export async function storeFrozen(
  store: SnapshotStore,
  meta: Omit<SnapshotMeta, 'id' | 'size'>,
  snapshot: StateMachineSnapshot,
): Promise<SnapshotMeta> {
  try {
    const sink = await store.create(meta);
    try {
      await persistTo(sink, snapshot);
      return await sink.close();
    } catch (error) {
      await sink.cancel();
      throw error;
    }
  } catch (cause) {
    if (cause instanceof RaftError) throw cause;
    throw new RaftError('RAFT_SNAPSHOT_FAILED', 'the snapshot could not be written', {}, cause);
  } finally {
    release(snapshot);
  }
}

/** One write after the other, and all of them done when this resolves, though a state machine need not wait for each. */
async function persistTo(sink: SnapshotSink, snapshot: StateMachineSnapshot): Promise<void> {
  let last = undefined as MaybePromise<void>;
  await snapshot.persist((chunk) => {
    last = isPending(last) ? last.then(() => sink.write(chunk)) : sink.write(chunk);
    // Who does not wait hears of a failure all the same: here, at the end.
    if (isPending(last)) last.catch(() => undefined);
    return last;
  });
  await last;
}

function release(snapshot: StateMachineSnapshot): void {
  try {
    snapshot.release();
  } catch (cause) {
    throw new RaftError('RAFT_STATE_MACHINE_FAILED', 'the state machine could not release its state', {}, cause);
  }
}
