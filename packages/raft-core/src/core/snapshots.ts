import { checkConfiguration } from './configuration.js';
import { RaftError } from './errors.js';
import { acceptLeader, announceConfiguration } from './append.js';
import type { LeaderRole, CoreNode } from './node.js';
import { advanceCommit } from './leadership.js';
import { sendEntries } from './replication.js';
import type { InstallSnapshotRequest } from './rpc.js';
import { transferProgressed } from './transfer.js';
import type { LogIndex, ServerId, SnapshotMeta } from './types.js';

/** Raft paper, figure 13. The bytes are the runtime's business; the core decides whether they are wanted. */
export function handleInstallSnapshot(node: CoreNode, requestId: number, request: InstallSnapshotRequest): void {
  if (request.term < node.term) return answerSnapshot(node, requestId, false, 0);
  try {
    checkConfiguration(request.configuration);
  } catch (error) {
    if (!(error instanceof RaftError)) throw error;
    const failure = { code: 'RAFT_MALFORMED', message: `the snapshot's configuration: ${error.message}` } as const;
    return node.emit({ type: 'refuseRequest', requestId, failure });
  }
  if (!acceptLeader(node, requestId, request)) return;
  if (request.lastLogIndex <= node.commitIndex) return answerSnapshot(node, requestId, true, request.size);
  node.emit({ type: 'receiveSnapshot', requestId, request });
}

/** Answers a chunk. */
export function answerSnapshot(node: CoreNode, requestId: number, success: boolean, nextOffset: number): void {
  node.reply(requestId, { kind: 'installSnapshotResponse', header: node.header, term: node.term, success, nextOffset });
}

/** The state machine stands where the snapshot says: so does the log now. */
export function snapshotInstalled(node: CoreNode, requestId: number, meta: SnapshotMeta): void {
  const { log } = node;
  if (meta.index > node.commitIndex) {
    if (log.termAt(meta.index) === meta.term) {
      // The log goes on after the snapshot; what follows it stays.
      log.compactThrough(meta.index);
      node.write({ op: 'compact', through: meta.index });
    } else {
      // Otherwise nothing of the log is known to agree: all of it goes (figure 13, step 7).
      log.reset(meta.index, meta.term);
      node.write({ op: 'reset', nextIndex: meta.index + 1 });
      const before = node.configurations.latest.configuration;
      node.configurations.reset({ index: meta.configurationIndex, configuration: meta.configuration });
      announceConfiguration(node, before);
    }
    node.appliedIndex = Math.max(node.appliedIndex, meta.index);
    node.commitIndex = meta.index;
    node.observe({ event: 'commit', payload: { index: meta.index } });
  }
  node.observe({ event: 'snapshotInstalled', payload: { meta } });
  answerSnapshot(node, requestId, true, meta.size);
}

/**
 * This node took a snapshot: the log may lose what lies well behind it, and the tombstones that would then be at its head.
 * A log may only ever lose a prefix that a snapshot covers, for what lies before it must be had from somewhere.
 *
 * @param tombstonesThrough end of the run of tombstones that the trailing log begins with, 0 for none
 */
export function snapshotTaken(node: CoreNode, meta: SnapshotMeta, tombstonesThrough: LogIndex = 0): void {
  const tombstones = Math.min(tombstonesThrough, meta.index, neededByPeers(node));
  const through = Math.max(meta.index - node.config.trailingLogs, tombstones);
  if (through >= node.log.firstIndex) {
    node.log.compactThrough(through);
    node.write({ op: 'compact', through });
  }
  node.observe({ event: 'snapshotTaken', payload: { meta } });
}

/** A leader's peers that still follow by the log shall not need a snapshot for the sake of tombstones. */
function neededByPeers(node: CoreNode): LogIndex {
  if (node.role.kind !== 'leader') return Infinity;
  let needed = Infinity;
  for (const p of node.role.progress.values()) if (p.mode !== 'snapshot') needed = Math.min(needed, p.match);
  return needed;
}

/** A follower acknowledged a chunk: it lives. */
export function snapshotProgress(node: CoreNode, role: LeaderRole, peerId: ServerId): void {
  const p = role.progress.get(peerId);
  if (p !== undefined) p.lastContact = node.now;
}

/** A follower has the whole snapshot. */
export function snapshotSent(node: CoreNode, role: LeaderRole, peerId: ServerId, index: LogIndex): void {
  const p = role.progress.get(peerId);
  if (p === undefined || p.mode !== 'snapshot') return;
  p.match = Math.max(p.match, index);
  p.becomeProbe(p.match + 1);
  advanceCommit(node, role);
  if (node.role !== role) return;
  transferProgressed(node, role, p);
  sendEntries(node, role, p);
}

/** A snapshot did not arrive; look again from the start, a little later. */
export function snapshotSendFailed(node: CoreNode, role: LeaderRole, peerId: ServerId): void {
  const p = role.progress.get(peerId);
  if (p === undefined || p.mode !== 'snapshot') return;
  p.becomeProbe(p.match + 1);
  p.retryAt = node.now + node.config.heartbeatTimeoutMs / 10;
}
