import { becomeFollower } from './election.js';
import type { CoreNode, LeaderRole } from './node.js';
import { requestTransfer } from './transfer.js';
import type { LogIndex, MonotonicMs } from './types.js';

/** The transfer that no caller asked for. */
const NOBODY = 0;
/** A look this much later than the last one, as a share of the heartbeat timeout, proves nothing: this node was late. */
const LATE_SHARE = 0.3;

/** In heartbeat timeouts, beyond the lease: a disk that is only slow must not cost leadership again and again. */
const PATIENCE = 4;
/** What counts as usual at most, in election timeouts: a disk that hung once may not hang for ever. */
const USUAL_LIMIT = 4;

/** One kind of a leader's own work: how far it has come, and since when it has not moved although there is some. */
interface Lane {
  at: LogIndex;
  since: MonotonicMs;
  /** The longest that it took to move in this leadership: what is usual here. */
  longestMs: MonotonicMs;
}

/** What a leader has seen of its own work at its last look. */
export interface OwnWork {
  readonly append: Lane;
  readonly apply: Lane;
  lookedAt: MonotonicMs;
  /** Whether leadership was to be handed over for this. */
  handingOver: boolean;
}

/** Nothing was looked at yet. */
export function newOwnWork(now: MonotonicMs): OwnWork {
  const lane = (): Lane => ({ at: -1, since: now, longestMs: 0 });
  return { append: lane(), apply: lane(), lookedAt: now, handingOver: false };
}

/**
 * A leader proves progress, not just breath (RAFT.md, section 4, rule 5): when its own oldest append or apply has not moved
 * for a lease and some patience, it hands leadership over, and steps down when that fails. Alone it goes on: nobody could do better.
 *
 * @returns whether it still leads
 */
export function leadsOnThoughStuck(node: CoreNode, role: LeaderRole): boolean {
  const { work } = role;
  const late = node.now - work.lookedAt > node.config.heartbeatTimeoutMs * LATE_SHARE;
  work.lookedAt = node.now;
  const append = isStuck(node, work.append, node.log.stableIndex, node.log.lastIndex, late);
  const apply = isStuck(node, work.apply, node.appliedIndex, node.commitIndex, late);
  if (!append && !apply) {
    if (role.transfer === null) work.handingOver = false;
    return true;
  }
  if (role.transfer !== null || role.restore !== null || role.progress.size === 0) return true;
  if (work.handingOver) {
    becomeFollower(node, node.term, null);
    return false;
  }
  work.handingOver = true;
  requestTransfer(node, role, NOBODY, null);
  return true;
}

function isStuck(node: CoreNode, lane: Lane, at: LogIndex, end: LogIndex, late: boolean): boolean {
  if (at !== lane.at || at >= end || late) {
    const most = node.config.electionTimeoutMs * USUAL_LIMIT;
    if (!late) lane.longestMs = Math.min(most, Math.max(lane.longestMs, node.now - lane.since));
    lane.at = at;
    lane.since = node.now;
    return false;
  }
  const patience = node.config.leaderLeaseTimeoutMs + node.config.heartbeatTimeoutMs * PATIENCE;
  return node.now - lane.since > Math.max(patience, 2 * lane.longestMs);
}
