import { allServers, voterGroups } from './configuration.js';
import { continueMembership } from './membership.js';
import type { LeaderRole, CoreNode } from './node.js';
import { Progress } from './progress.js';
import { reachedByQuorum } from './quorum.js';
import { broadcast } from './replication.js';
import { refuseReads, startReads } from './reads.js';
import { newOwnWork } from './stuck.js';
import { entrySize, EntryType, type LogEntry, type LogIndex } from './types.js';

/** Heartbeat interval: random in [1/10, 2/10) of the heartbeat timeout. */
export function heartbeatInterval(node: CoreNode): number {
  return node.spread(node.config.heartbeatTimeoutMs / 10);
}

/** Builds the role of a new leader and appends its first entry, which lets older entries commit (section 8). */
export function startLeading(node: CoreNode): LeaderRole {
  const firstIndex = node.log.lastIndex + 1;
  const role: LeaderRole = {
    kind: 'leader',
    epoch: ++node.epochs,
    firstIndex,
    progress: new Map(),
    rpcs: new Map(),
    round: 0,
    currentRead: null,
    waitingReads: [],
    notifyCommitAt: Infinity,
    checkQuorumAt: node.now + node.config.leaderLeaseTimeoutMs,
    excused: false,
    transfer: null,
    transferBegun: false,
    restore: null,
    uncommittedBytes: 0,
    backlogBytes: 0,
    work: newOwnWork(node.now),
    changes: [],
    waitingChanges: [],
  };
  syncProgress(node, role);
  const noop: LogEntry = { index: firstIndex, term: node.term, type: EntryType.noop, data: new Uint8Array(0) };
  appendAsLeader(node, role, [noop]);
  broadcast(node, role);
  return role;
}

/** Follows the configuration: a progress for each other server; who was removed keeps his until he knows. */
export function syncProgress(node: CoreNode, role: LeaderRole): void {
  const servers = allServers(node.configurations.latest.configuration).filter((server) => server.id !== node.id);
  for (const server of servers) {
    const known = role.progress.get(server.id);
    if (known) {
      known.server = server;
      known.leavesAt = 0;
    } else role.progress.set(server.id, new Progress(server, node.log.lastIndex + 1, node.now));
  }
  const ids = new Set(servers.map((server) => server.id));
  for (const [id, p] of role.progress) {
    if (!ids.has(id) && p.leavesAt === 0) p.leavesAt = node.now + node.config.electionTimeoutMs;
  }
}

/** Appends entries of this term. */
export function appendAsLeader(node: CoreNode, role: LeaderRole, entries: readonly LogEntry[]): void {
  node.append(entries);
  for (const entry of entries) role.uncommittedBytes += entrySize(entry);
}

/** What a leader knows to be stored at a server, itself included. */
function storedAt(node: CoreNode, role: LeaderRole, id: string): LogIndex {
  if (id === node.id) return node.log.stableIndex;
  return role.progress.get(id)?.match ?? 0;
}

/**
 * Commits what a quorum has stored; only entries of this term by counting (Raft paper, section 5.4.2), older ones along
 * with them.
 */
export function advanceCommit(node: CoreNode, role: LeaderRole): void {
  const groups = voterGroups(node.configurations.latest.configuration);
  const index = reachedByQuorum(groups, (id) => storedAt(node, role, id));
  if (index <= node.commitIndex || index < role.firstIndex || index > node.log.lastIndex) return;
  for (let i = Math.max(node.commitIndex + 1, role.firstIndex); i <= index; i++) {
    const entry = node.log.cached(i);
    if (entry === undefined) continue;
    role.uncommittedBytes -= entrySize(entry);
    role.backlogBytes += entrySize(entry);
  }
  const first = node.commitIndex < role.firstIndex;
  setCommit(node, index);
  role.notifyCommitAt = Math.min(role.notifyCommitAt, node.now + node.config.commitTimeoutMs);
  if (first) startReads(node, role);
  continueMembership(node, role);
}

/** Moves the commit index. It never moves back. */
export function setCommit(node: CoreNode, index: LogIndex): void {
  if (index <= node.commitIndex) return;
  node.commitIndex = index;
  node.emit({ type: 'commit', index });
  node.observe({ event: 'commit', payload: { index } });
}

/** When a quorum (this node counts) was last heard from. */
function quorumContactAt(node: CoreNode, role: LeaderRole): number {
  const groups = voterGroups(node.configurations.latest.configuration);
  return reachedByQuorum(groups, (id) =>
    id === node.id ? node.now : (role.progress.get(id)?.lastContact ?? -Infinity),
  );
}

/** Whether this leader has heard from a quorum within its lease; also says when to look again. */
export function checkQuorum(node: CoreNode, role: LeaderRole): boolean {
  const contact = quorumContactAt(node, role);
  role.checkQuorumAt = contact + node.config.leaderLeaseTimeoutMs;
  return role.checkQuorumAt > node.now;
}

/** Tells everyone who waits on this leadership that it is over. */
export function abandonLeadership(node: CoreNode, role: LeaderRole): void {
  const ids = [...(role.currentRead?.ids ?? []), ...role.waitingReads];
  if (ids.length > 0) {
    refuseReads(node, ids, {
      code: 'RAFT_LEADERSHIP_LOST',
      message: 'this node lost leadership while it confirmed a read',
    });
  }
  if (role.changes.length > 0) {
    node.emit({
      type: 'refuseProposals',
      ids: role.changes.map(({ id }) => id),
      outcome: 'unknownOutcome',
      failure: { code: 'RAFT_LEADERSHIP_LOST', message: 'this node lost leadership in the middle of a change' },
    });
  }
  if (role.waitingChanges.length > 0) {
    node.emit({
      type: 'refuseProposals',
      ids: role.waitingChanges.map(({ id }) => id),
      outcome: 'notAppended',
      failure: { code: 'RAFT_LEADERSHIP_LOST', message: 'this node lost leadership before it began the change' },
    });
  }
  for (const progress of role.progress.values()) {
    if (progress.mode === 'snapshot')
      node.emit({ type: 'cancelSnapshot', peerId: progress.server.id, epoch: role.epoch });
  }
  if (role.transfer !== null) {
    const { id, target } = role.transfer;
    node.emit({ type: 'transferDone', id, target, term: node.term, failure: null });
  }
}

/** The state machine has applied entries up to `index`. */
export function applied(node: CoreNode, index: LogIndex): void {
  const { role, log } = node;
  if (role.kind === 'leader' && role.backlogBytes > 0) {
    for (let i = Math.max(node.appliedIndex + 1, role.firstIndex); i <= index; i++) {
      const entry = log.cached(i);
      if (entry !== undefined) role.backlogBytes -= entrySize(entry);
    }
    if (index >= node.commitIndex) role.backlogBytes = 0;
  }
  node.appliedIndex = Math.max(node.appliedIndex, index);
  node.configurations.compact(Math.min(node.appliedIndex, node.commitIndex));
  trimCache(node);
}

/** Frees memory. What is not applied yet stays, unless there is so much of it that it is better read from the store again. */
export function trimCache(node: CoreNode): void {
  const { log, config } = node;
  const flooded = log.cacheBytes > config.logCacheBytes + config.maxApplyBacklogBytes;
  log.trimCache(flooded ? node.commitIndex : Math.min(node.appliedIndex, node.commitIndex));
}
