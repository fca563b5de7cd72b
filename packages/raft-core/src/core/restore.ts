import { appendAsLeader } from './leadership.js';
import type { CoreNode, LeaderRole } from './node.js';
import { broadcast } from './replication.js';
import type { Failure } from './effects.js';
import { EntryType, type SnapshotMeta } from './types.js';

/**
 * A user's restore replaces the state of the whole cluster: the leader installs a snapshot above everything in its log, and
 * the others, whose logs cannot reach it, are sent that snapshot (hashicorp/raft's `Restore`). Until the entry behind it is
 * committed, nothing that rests on the new state is confirmed: reads wait for it.
 */
export function beginRestore(node: CoreNode, role: LeaderRole, id: number): void {
  const failure = whyNot(node, role);
  if (failure === null) role.restore = id;
  node.emit({ type: 'restoreBegun', id, failure, epoch: role.epoch, lastIndex: node.log.lastIndex, term: node.term });
}

function whyNot(node: CoreNode, role: LeaderRole): Failure | null {
  if (role.restore !== null) return { code: 'RAFT_RESTORE_IN_PROGRESS', message: 'another restore is under way' };
  if (role.transfer !== null) return { code: 'RAFT_TRANSFER_IN_PROGRESS', message: 'leadership is being handed over' };
  const { index, configuration } = node.configurations.latest;
  if (index > node.commitIndex || configuration.outgoing !== undefined) {
    return { code: 'RAFT_CONFIGURATION_PENDING', message: 'a change of the membership is under way' };
  }
  return null;
}

/** The restore came to nothing; the state is what it was. */
export function abandonRestore(role: LeaderRole, id: number): void {
  if (role.restore === id) role.restore = null;
}

/** The state machine of this node, which led when the restore began, holds the state of `meta`. */
export function restored(node: CoreNode, epoch: number, meta: SnapshotMeta): void {
  const { log, role } = node;
  if (log.lastIndex >= meta.index || node.commitIndex >= meta.index) {
    // Leadership was lost in the last moment, and another leader's entries stand where the state belongs.
    node.halt({
      code: 'RAFT_STORE_CORRUPT',
      message: `leadership was lost during a restore: this server holds a state at ${meta.index} that the others do not`,
      details: { index: meta.index },
    });
    return;
  }
  log.reset(meta.index, meta.term);
  node.write({ op: 'reset', nextIndex: meta.index + 1 });
  node.configurations.reset({ index: meta.configurationIndex, configuration: meta.configuration });
  node.appliedIndex = meta.index;
  node.commitIndex = meta.index;
  node.observe({ event: 'commit', payload: { index: meta.index } });
  node.observe({ event: 'snapshotInstalled', payload: { meta } });
  if (role.kind === 'leader' && role.epoch === epoch) leadOn(node, role);
}

/** Goes on leading behind the restored state, as a new leader would: nothing counts before an entry here is committed. */
function leadOn(node: CoreNode, role: LeaderRole): void {
  role.restore = null;
  role.uncommittedBytes = 0;
  role.backlogBytes = 0;
  role.firstIndex = node.log.lastIndex + 1;
  for (const p of role.progress.values()) {
    if (p.mode === 'snapshot') node.emit({ type: 'cancelSnapshot', peerId: p.server.id, epoch: role.epoch });
    p.becomeProbe(role.firstIndex);
  }
  appendAsLeader(node, role, [
    { index: role.firstIndex, term: node.term, type: EntryType.noop, data: new Uint8Array(0) },
  ]);
  broadcast(node, role);
}
