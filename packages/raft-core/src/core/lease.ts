import { voterGroups } from './configuration.js';
import type { CoreNode, LeaderRole } from './node.js';
import { reachedByQuorum } from './quorum.js';

/**
 * Whether this leader may read without asking (Raft thesis, section 6.4.1): a quorum has acknowledged requests that were
 * *sent* less than a lease ago, and none of them votes for another within a lease of hearing one.
 *
 * It rests on clocks that run alike, up to the margin, and on every server having leases on: a server that has just started
 * does not remember whom it heard, and keeps silent for as long. The respite that lateness gives does not count here, and
 * since a transfer makes servers vote at once, there is no lease in a leadership in which one was begun.
 */
export function holdsLease(node: CoreNode, role: LeaderRole): boolean {
  if (node.config.readMode !== 'lease' || role.transferBegun || node.commitIndex < role.firstIndex) return false;
  const groups = voterGroups(node.configurations.latest.configuration);
  const since = reachedByQuorum(groups, (id) =>
    id === node.id ? node.now : (role.progress.get(id)?.lastAckSentAt ?? -Infinity),
  );
  return node.now < since + node.config.leaderLeaseTimeoutMs - node.config.clockDriftMarginMs;
}

/** Whether this node may have acknowledged a leader before it started, whose lease could still run. */
export function keepsForgottenPromise(node: CoreNode): boolean {
  return node.config.readMode === 'lease' && node.now - node.startedAt < node.config.heartbeatTimeoutMs;
}
