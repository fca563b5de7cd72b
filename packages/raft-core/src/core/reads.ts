import { voterGroups } from './configuration.js';
import type { CoreNode, LeaderRole } from './node.js';
import { reachedByQuorum } from './quorum.js';
import { sendHeartbeat } from './replication.js';

/**
 * Reads in numbered rounds (Raft thesis, section 6.4): a read waits until a quorum has acknowledged requests that were
 * sent after it came. Reads that come while a round is under way share the next.
 */
export function requestRead(node: CoreNode, role: LeaderRole, id: number): void {
  role.waitingReads.push(id);
  startReads(node, role);
}

/** Starts a round for the reads that wait, if none is under way and an entry of this term is committed. */
export function startReads(node: CoreNode, role: LeaderRole): void {
  if (role.waitingReads.length === 0 || role.currentRead !== null || node.commitIndex < role.firstIndex) return;
  role.round++;
  role.currentRead = { round: role.round, ids: role.waitingReads };
  role.waitingReads = [];
  for (const progress of role.progress.values()) sendHeartbeat(node, role, progress);
  roundAcknowledged(node, role);
}

/** Acknowledgements came in: resolves the round if a quorum has confirmed it. */
export function roundAcknowledged(node: CoreNode, role: LeaderRole): void {
  const current = role.currentRead;
  if (current === null) return;
  const groups = voterGroups(node.configurations.latest.configuration);
  const acked = reachedByQuorum(groups, (id) => (id === node.id ? Infinity : (role.progress.get(id)?.ackedRound ?? 0)));
  if (acked < current.round) return;
  role.currentRead = null;
  node.emit({ type: 'resolveReads', ids: current.ids, index: node.commitIndex });
  startReads(node, role);
}
