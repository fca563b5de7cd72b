/**
 * A timer that fires late proves nothing about the peers.
 *
 * When the event loop was busy, timers fire before the messages are read that waited meanwhile. A leader would then depose
 * itself, and a follower campaign, although every peer answered in time. So a node that looks at the clock much later than
 * it wanted to gives its peers one short respite: long enough to read what waits. A second look that finds nothing counts.
 * Safety does not rest on any of this; a leader that was stopped for long meets a higher term with its first message.
 */
import { checkQuorum } from './leadership.js';
import type { CoreNode, LeaderRole } from './node.js';
import type { MonotonicMs } from './types.js';

/** Later than this share of the heartbeat timeout is this node's own fault. */
const LATE_SHARE = 0.1;
/** The respite, as a share of the heartbeat timeout. */
const RESPITE_SHARE = 0.25;

function isLate(node: CoreNode, deadline: MonotonicMs): boolean {
  return node.now - deadline > node.config.heartbeatTimeoutMs * LATE_SHARE;
}

/** Puts the election off once, if this node comes late to it. */
export function excuseLateness(node: CoreNode): boolean {
  if (node.excused || !isLate(node, node.electionAt)) return false;
  node.electionAt = node.now + node.spread(node.config.heartbeatTimeoutMs * RESPITE_SHARE);
  node.excused = true;
  return true;
}

/** Whether a leader may go on: a quorum was heard within the lease, or could not be heard since this node was late. */
export function quorumInTouch(node: CoreNode, role: LeaderRole): boolean {
  const late = isLate(node, role.checkQuorumAt);
  if (checkQuorum(node, role)) {
    role.excused = false;
    return true;
  }
  if (role.excused || !late) return false;
  role.excused = true;
  role.checkQuorumAt = node.now + node.config.heartbeatTimeoutMs * RESPITE_SHARE;
  return true;
}
