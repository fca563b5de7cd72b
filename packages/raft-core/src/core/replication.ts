import type { CoreNode, LeaderRole, RpcContext } from './node.js';
import { advanceCommit, heartbeatInterval } from './leadership.js';
import type { Progress } from './progress.js';
import { continueMembership } from './membership.js';
import { roundAcknowledged } from './reads.js';
import type { AppendEntriesResponse } from './rpc.js';
import { transferProgressed } from './transfer.js';
import { entrySize, type LogEntry, type LogIndex, type ServerId } from './types.js';

/** Sends every peer what it may be sent now. */
export function broadcast(node: CoreNode, role: LeaderRole): void {
  for (const progress of role.progress.values()) sendEntries(node, role, progress);
}

/** Sends a peer what it may be sent now: a probe, or as many pipelined appends as its window holds. */
export function sendEntries(node: CoreNode, role: LeaderRole, p: Progress): void {
  if (p.reading || node.now < p.retryAt) return;
  if (p.mode === 'probe') {
    if (p.probeRpcId !== 0) return;
    sendNext(node, role, p);
    return;
  }
  while (p.mode === 'replicate' && !p.reading && p.next <= node.log.lastIndex && hasRoom(node, p))
    sendNext(node, role, p);
}

function hasRoom(node: CoreNode, p: Progress): boolean {
  return p.inflight.length < node.config.maxInflightAppends && p.inflightBytes < node.config.maxInflightBytes;
}

/** Sends the entries from `next` on, asks the store for them, or starts a snapshot when they are gone. */
function sendNext(node: CoreNode, role: LeaderRole, p: Progress): void {
  if (node.log.termAt(p.next - 1) === undefined) {
    p.becomeSnapshot();
    node.emit({ type: 'sendSnapshot', peer: p.server, epoch: role.epoch, term: node.term });
    return;
  }
  const to = Math.min(node.log.lastIndex, p.next + node.config.maxAppendEntries - 1);
  // A peer that failed to answer is asked with an empty request first: what it would miss is not sent in vain.
  if (to < p.next || (p.mode === 'probe' && p.failures > 0)) {
    sendAppend(node, role, p, p.next - 1, []);
    return;
  }
  const entries = node.log.slice(p.next, to, node.config.maxAppendBytes, node.config.maxAppendEntries);
  if (entries === undefined) {
    p.reading = true;
    const stored = Math.min(to, node.log.stableIndex);
    node.emit({
      type: 'readLog',
      peerId: p.server.id,
      epoch: role.epoch,
      from: p.next,
      to: stored,
      maxBytes: node.config.maxAppendBytes,
    });
    return;
  }
  sendAppend(node, role, p, p.next - 1, entries);
}

/** Entries that the store was asked for are here. */
export function logRead(node: CoreNode, role: LeaderRole, peerId: ServerId, entries: readonly LogEntry[]): void {
  const p = role.progress.get(peerId);
  if (p === undefined || !p.reading) return;
  p.reading = false;
  const usable =
    node.log.termAt(p.next - 1) !== undefined &&
    entries.length > 0 &&
    entries[0]!.index === p.next &&
    node.log.termAt(p.next) === entries[0]!.term;
  if (usable && p.mode !== 'snapshot') sendAppend(node, role, p, p.next - 1, entries);
  sendEntries(node, role, p);
}

/** The store could not give them; compaction may have taken them, so look again. */
export function logReadFailed(node: CoreNode, role: LeaderRole, peerId: ServerId): void {
  const p = role.progress.get(peerId);
  if (p === undefined || !p.reading) return;
  p.reading = false;
  p.retryAt = node.now + backoff(node, ++p.failures);
}

/** Sends a heartbeat: an append without entries after what is known to match, so that it always agrees. */
export function sendHeartbeat(node: CoreNode, role: LeaderRole, p: Progress): void {
  noteSilence(node, p, node.config.heartbeatTimeoutMs);
  const known = node.log.termAt(p.match) !== undefined;
  sendAppend(node, role, p, known ? p.match : 0, [], 'heartbeat');
}

function sendAppend(
  node: CoreNode,
  role: LeaderRole,
  p: Progress,
  prev: LogIndex,
  entries: readonly LogEntry[],
  purpose: 'replicate' | 'heartbeat' | 'askAgain' = 'replicate',
): void {
  const rpcId = ++node.rpcIds;
  const lastIndex = prev + entries.length;
  const context: RpcContext = {
    peerId: p.server.id,
    sentAt: node.now,
    round: role.round,
    prevLogIndex: prev,
    lastIndex,
    matchAtSend: p.match,
  };
  role.rpcs.set(rpcId, context);
  // A peer whose disk is slow acknowledges entries late, but a heartbeat at once: only what it will answer soon stands for one.
  if (purpose === 'heartbeat' || (purpose === 'replicate' && p.inflight.length === 0)) {
    p.nextHeartbeatAt = node.now + heartbeatInterval(node);
  }
  p.sentCommit = Math.max(p.sentCommit, Math.min(node.commitIndex, lastIndex));
  if (purpose === 'replicate') {
    if (p.mode === 'probe') p.probeRpcId = rpcId;
    else p.next = lastIndex + 1;
    if (entries.length > 0) {
      let bytes = 0;
      for (const entry of entries) bytes += entrySize(entry);
      p.addInflight({ rpcId, firstIndex: prev + 1, lastIndex, bytes });
    }
  }
  node.emit({
    type: 'send',
    rpcId,
    to: p.server,
    timeoutMs: node.config.rpcTimeoutMs,
    request: {
      kind: 'appendEntries',
      header: node.header,
      term: node.term,
      prevLogIndex: prev,
      prevLogTerm: node.log.termAt(prev) ?? 0,
      entries,
      leaderCommitIndex: node.commitIndex,
      redactedThrough: node.redactedThrough,
    },
  });
}

/** A peer answered; the answer's term is this leader's. */
export function appendAnswered(node: CoreNode, role: LeaderRole, rpcId: number, response: AppendEntriesResponse): void {
  const context = role.rpcs.get(rpcId);
  if (context === undefined) return;
  role.rpcs.delete(rpcId);
  const p = role.progress.get(context.peerId);
  if (p === undefined) return;
  contacted(node, role, p, context);
  const carried = p.removeInflight(rpcId);
  const wasProbe = p.probeRpcId === rpcId;
  if (wasProbe) p.probeRpcId = 0;
  if (response.success) matched(node, role, p, context, response, wasProbe);
  else mismatched(node, p, context, response, wasProbe, carried);
  if (node.role !== role) return;
  sendEntries(node, role, p);
}

/** A peer showed that it lives and follows. */
function contacted(node: CoreNode, role: LeaderRole, p: Progress, context: RpcContext): void {
  p.lastContact = node.now;
  if (context.lastIndex === context.prevLogIndex) p.rttMs = node.now - context.sentAt;
  p.failures = 0;
  p.retryAt = 0;
  if (p.failed) {
    p.failed = false;
    node.observe({ event: 'heartbeatResumed', payload: { peerId: p.server.id } });
  }
  p.lastAckSentAt = Math.max(p.lastAckSentAt, context.sentAt);
  if (context.round > p.ackedRound) {
    p.ackedRound = context.round;
    roundAcknowledged(node, role);
  }
}

function matched(
  node: CoreNode,
  role: LeaderRole,
  p: Progress,
  context: RpcContext,
  response: AppendEntriesResponse,
  wasProbe: boolean,
): void {
  const isNews = context.lastIndex > p.match;
  if (isNews) {
    p.match = context.lastIndex;
    p.next = Math.max(p.next, p.match + 1);
    p.dropInflightThrough(p.match);
  }
  // Before a commit makes this leader append a configuration: sent as another probe, it would be sent twice.
  if (wasProbe) p.becomeReplicate();
  if (isNews) {
    advanceCommit(node, role);
    transferProgressed(node, role, p);
  }
  if (node.role !== role) return;
  if (wasProbe) {
    // Nothing else was under way.
  } else if (isLost(node, role, p, context, response)) p.becomeProbe(p.mode === 'probe' ? p.next : p.match + 1);
  else askAgain(node, role, p, context, response);
  if (p.server.suffrage === 'staging' || p.leavesAt > 0) continueMembership(node, role);
}

/**
 * Whether this answer shows that the oldest request under way was lost: this one was sent later and is answered already,
 * and the peer's log does not reach the other's entries, or the other is overdue. Then it is sent again long before it
 * would time out.
 */
function isLost(
  node: CoreNode,
  role: LeaderRole,
  p: Progress,
  context: RpcContext,
  response: AppendEntriesResponse,
): boolean {
  const oldest = p.inflight[0];
  const other = role.rpcs.get(p.probeRpcId !== 0 ? p.probeRpcId : (oldest?.rpcId ?? 0));
  if (other === undefined || other.sentAt >= context.sentAt) return false;
  if (oldest === undefined || response.lastLog < oldest.firstIndex) return true;
  return context.sentAt - other.sentAt >= node.config.heartbeatTimeoutMs / 2;
}

/**
 * The peer's log reaches the end of the oldest request under way, which is not answered though this one, sent later, is: its
 * disk is slow, or the answer was lost. It is asked once more, without the entries: the answer comes when they are stored.
 */
function askAgain(
  node: CoreNode,
  role: LeaderRole,
  p: Progress,
  context: RpcContext,
  response: AppendEntriesResponse,
): void {
  const oldest = p.inflight[0];
  if (p.mode !== 'replicate' || oldest === undefined || oldest.rpcId <= p.askedAgain) return;
  const other = role.rpcs.get(oldest.rpcId);
  if (other === undefined || other.sentAt >= context.sentAt || response.lastLog < oldest.lastIndex) return;
  p.askedAgain = oldest.rpcId;
  sendAppend(node, role, p, Math.min(response.lastLog, p.next - 1), [], 'askAgain');
}

/** The logs do not agree at what the request built on: step back to where they may (Raft paper, section 5.3). */
function mismatched(
  node: CoreNode,
  p: Progress,
  context: RpcContext,
  response: AppendEntriesResponse,
  wasProbe: boolean,
  carried: boolean,
): void {
  if (p.mode === 'snapshot') return;
  if (context.prevLogIndex <= context.matchAtSend && context.prevLogIndex > 0) {
    // The peer had confirmed this entry before we asked, so it has lost its log. It catches up as a new one would.
    p.match = 0;
    p.becomeProbe(Math.max(1, Math.min(response.conflictIndex, context.prevLogIndex)));
    return;
  }
  if (context.prevLogIndex <= p.match) {
    // It overtook what it built on, which has arrived since; but the entries that it carried were refused.
    if (carried && p.mode === 'replicate') p.becomeProbe(p.match + 1);
    return;
  }
  // Late news about something that has been settled since.
  if (p.mode === 'probe' && !wasProbe) return;
  p.becomeProbe(nextAfterConflict(node, context.prevLogIndex, response));
}

function nextAfterConflict(node: CoreNode, prev: LogIndex, response: AppendEntriesResponse): LogIndex {
  const conflictIndex = response.conflictIndex > 0 ? response.conflictIndex : response.lastLog + 1;
  const next = Math.max(1, Math.min(conflictIndex, prev));
  if (response.conflictTerm === 0 || prev < node.log.firstIndex) return next;
  // Our last entry that is not of a later term than the peer's conflicting one: if it is of that very term, the logs may
  // agree up to it; otherwise they cannot agree within the peer's run of that term.
  const last = node.log.lastIndexWithTermAtMost(response.conflictTerm, prev - 1);
  return node.log.termAt(last) === response.conflictTerm ? last + 1 : next;
}

/** A request to a peer failed. */
export function appendFailed(node: CoreNode, role: LeaderRole, rpcId: number): void {
  const context = role.rpcs.get(rpcId);
  if (context === undefined) return;
  role.rpcs.delete(rpcId);
  const p = role.progress.get(context.peerId);
  if (p === undefined) return;
  noteSilence(node, p, node.config.heartbeatTimeoutMs / 2);
  const carried = p.probeRpcId === rpcId || p.inflight.some((item) => item.rpcId === rpcId);
  if (!carried) return;
  p.becomeProbe(p.mode === 'probe' ? p.next : p.match + 1);
  p.retryAt = node.now + backoff(node, ++p.failures);
}

/** Tells observers, once, of a peer that has been silent for `limitMs`. */
function noteSilence(node: CoreNode, p: Progress, limitMs: number): void {
  if (p.failed || node.now - p.lastContact < limitMs) return;
  p.failed = true;
  node.observe({ event: 'heartbeatFailed', payload: { peerId: p.server.id, lastContact: p.lastContact } });
}

/** Grows with failures up to a heartbeat interval: a peer that comes back is served at once. */
function backoff(node: CoreNode, failures: number): number {
  const most = node.config.heartbeatTimeoutMs / 10;
  return Math.min(most, 2 ** Math.min(failures, 10));
}

/** Whether a peer with nothing to be sent has not been told of the commit index. */
export function mustHearCommit(node: CoreNode, p: Progress): boolean {
  return p.mode !== 'snapshot' && p.sentCommit < Math.min(node.commitIndex, p.match);
}
