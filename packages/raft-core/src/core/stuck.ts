import { becomeFollower } from './election.js';
import { isVoterIn } from './configuration.js';
import type { CoreNode, LeaderRole } from './node.js';
import { requestTransfer } from './transfer.js';
import type { LogIndex, MonotonicMs } from './types.js';

/** The transfer that no caller asked for. */
const NOBODY = 0;
/** A look this much later than the last one, as a share of the heartbeat timeout, proves nothing: this node was late. */
const LATE_SHARE = 0.3;
/** In heartbeat timeouts, beyond the lease: how long work may rest that another voter has done, and that nobody is known to have. */
const OUTDONE_PATIENCE = 1;
const PATIENCE = 4;
/** How often what was usual so far may be exceeded: a disk that is slow now and then is slower once in a while. */
const USUAL_TIMES = 4;
/** What counts as usual at most, in election timeouts: a disk that hung once may not hang for ever. */
const USUAL_LIMIT = 2;

/** One kind of a leader's own work: how far it has come, and since when it has not moved although there is some. */
interface Lane {
  at: LogIndex;
  since: MonotonicMs;
  /** Since when another voter is known to have done what this node has not; Infinity while nobody has. */
  outdoneSince: MonotonicMs;
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
  const lane = (): Lane => ({ at: -1, since: now, outdoneSince: Infinity, longestMs: 0 });
  return { append: lane(), apply: lane(), lookedAt: now, handingOver: false };
}

/**
 * A leader proves progress, not just breath (RAFT.md, section 4, rule 5): when its own oldest append or apply is stuck, it
 * hands leadership over, and steps down when that fails. Alone it goes on: nobody could do better. What stuck means is told
 * apart from slow by what the others have done meanwhile (docs/adr/0011).
 *
 * @returns whether it still leads
 */
export function leadsOnThoughStuck(node: CoreNode, role: LeaderRole): boolean {
  const { work } = role;
  const late = node.now - work.lookedAt > node.config.heartbeatTimeoutMs * LATE_SHARE;
  work.lookedAt = node.now;
  const { stableIndex, lastIndex } = node.log;
  const append = isStuck(node, work.append, stableIndex, lastIndex, late, isOutdone(node, role));
  const apply = isStuck(node, work.apply, node.appliedIndex, node.commitIndex, late, false);
  if (!append && !apply) {
    if (role.transfer === null) work.handingOver = false;
    return true;
  }
  if (role.transfer !== null || role.progress.size === 0) return true;
  // A restore cannot be handed over, and gets nowhere on a disk that is stuck.
  if (work.handingOver || role.restore !== null) {
    becomeFollower(node, node.term, null);
    return false;
  }
  work.handingOver = true;
  requestTransfer(node, role, { id: NOBODY, target: null });
  return true;
}

/** Whether another voter has stored what this leader has not. */
function isOutdone(node: CoreNode, role: LeaderRole): boolean {
  const { stableIndex, lastIndex } = node.log;
  if (stableIndex >= lastIndex) return false;
  const { configuration } = node.configurations.latest;
  for (const p of role.progress.values()) {
    if (p.match > stableIndex && isVoterIn(configuration, p.server.id)) return true;
  }
  return false;
}

function isStuck(node: CoreNode, lane: Lane, at: LogIndex, end: LogIndex, late: boolean, outdone: boolean): boolean {
  if (at !== lane.at || at >= end || late) {
    const most = node.config.electionTimeoutMs * USUAL_LIMIT;
    if (!late) lane.longestMs = Math.min(most, Math.max(lane.longestMs, node.now - lane.since));
    lane.at = at;
    lane.since = node.now;
    lane.outdoneSince = outdone && at < end ? node.now : Infinity;
    return false;
  }
  if (outdone) lane.outdoneSince = Math.min(lane.outdoneSince, node.now);
  const limit = (patience: number): MonotonicMs =>
    Math.max(
      node.config.leaderLeaseTimeoutMs + node.config.heartbeatTimeoutMs * patience,
      lane.longestMs * USUAL_TIMES,
    );
  return node.now - lane.outdoneSince > limit(OUTDONE_PATIENCE) || node.now - lane.since > limit(PATIENCE);
}
