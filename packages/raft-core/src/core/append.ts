import { decodeConfiguration } from './configuration.js';
import { peerChanges } from './membership-change.js';
import { becomeFollower, resetElectionTimer } from './election.js';
import { RaftError } from './errors.js';
import { setCommit } from './leadership.js';
import type { CoreNode } from './node.js';
import type { AppendEntriesRequest } from './rpc.js';
import { supersedingIndex } from './tombstone.js';
import { EntryType, type Configuration, type LogEntry, type LogIndex, type RaftState } from './types.js';

/** Raft paper, figure 2: AppendEntries; heartbeats take the same way. */
export function handleAppendEntries(node: CoreNode, requestId: number, request: AppendEntriesRequest): void {
  if (request.term < node.term) return mismatch(node, requestId, 0, node.log.lastIndex + 1);
  if (!acceptLeader(node, requestId, request)) return;
  node.redactedThrough = redactedThrough(node.redactedThrough, request);

  const { log } = node;
  const prev = request.prevLogIndex;
  if (prev > log.lastIndex) return mismatch(node, requestId, 0, log.lastIndex + 1);
  // What lies before our log is in a snapshot, hence committed, hence equal to the leader's.
  const known = log.termAt(prev);
  if (known !== undefined && known !== request.prevLogTerm) {
    return mismatch(node, requestId, known, log.firstIndexOfTermAt(prev));
  }
  if (contradictsSnapshot(node, request)) {
    const message = `this server holds a state at ${log.firstIndex - 1} that the leader of term ${request.term} does not`;
    return node.halt({ code: 'RAFT_STORE_CORRUPT', message, details: { index: log.firstIndex - 1 } });
  }
  if (!isConsecutive(request)) {
    const message = `the entries after ${prev} are not consecutive, or of a term later than ${request.term}`;
    return node.emit({ type: 'refuseRequest', requestId, failure: { code: 'RAFT_MALFORMED', message } });
  }
  const conflict = firstNewEntry(node, request);
  if (conflict > 0) {
    const entries = conflict === prev + 1 ? request.entries : request.entries.slice(conflict - prev - 1);
    if (conflict <= log.lastIndex && !truncate(node, conflict)) return;
    if (!appendReceived(node, requestId, entries)) return;
  }
  const matchIndex = prev + request.entries.length;
  setCommit(node, Math.min(request.leaderCommitIndex, matchIndex));
  node.reply(
    requestId,
    {
      kind: 'appendEntriesResponse',
      header: node.header,
      term: node.term,
      lastLog: log.lastIndex,
      success: true,
      noRetryBackoff: false,
      matchIndex,
      conflictTerm: 0,
      conflictIndex: 0,
    },
    Math.min(matchIndex, log.lastIndex),
  );
}

/** Takes the sender of an append or a snapshot as the leader of its term, which is at least ours. */
export function acceptLeader(
  node: CoreNode,
  requestId: number,
  request: Pick<AppendEntriesRequest, 'term' | 'header'>,
): boolean {
  const state: RaftState = node.role.kind;
  if (state === 'leader' && request.term === node.term) {
    node.emit({
      type: 'refuseRequest',
      requestId,
      failure: {
        code: 'RAFT_MALFORMED',
        message: `${request.header.id} claims to lead term ${request.term}, which this node leads`,
      },
    });
    return false;
  }
  if (request.term > node.term || state !== 'follower' || node.leaderId !== request.header.id) {
    becomeFollower(node, request.term, request.header);
  }
  node.leaderContactAt = node.now;
  resetElectionTimer(node, node.config.heartbeatTimeoutMs);
  return true;
}

/** How far this node must have applied before it may show its state, now that it has heard this. */
function redactedThrough(known: LogIndex, request: AppendEntriesRequest): LogIndex {
  let result = Math.max(known, request.redactedThrough);
  for (const entry of request.entries) result = Math.max(result, supersedingIndex(entry) ?? 0);
  return result;
}

function mismatch(node: CoreNode, requestId: number, conflictTerm: number, conflictIndex: LogIndex): void {
  node.reply(requestId, {
    kind: 'appendEntriesResponse',
    header: node.header,
    term: node.term,
    lastLog: node.log.lastIndex,
    success: false,
    noRetryBackoff: true,
    matchIndex: 0,
    conflictTerm,
    conflictIndex,
  });
}

/**
 * Whether what lies before this log is not what the leader has there. It is known by its last term only, and terms never
 * fall along a log. It happens when this server has installed a user's restore above its log, and lost leadership before a
 * quorum had it: the leader's entries in the gap must not be acknowledged as if the snapshot covered them.
 */
function contradictsSnapshot({ log }: CoreNode, { prevLogIndex, prevLogTerm, entries }: AppendEntriesRequest): boolean {
  const base = log.firstIndex - 1;
  const baseTerm = log.termAt(base) ?? 0;
  if (prevLogIndex < base && prevLogTerm > baseTerm) return true;
  return prevLogIndex < base && entries.some(({ index, term }) => index <= base && term > baseTerm);
}

function isConsecutive(request: AppendEntriesRequest): boolean {
  let term = request.prevLogTerm;
  return request.entries.every((entry, i) => {
    const ok = entry.index === request.prevLogIndex + 1 + i && entry.term >= term && entry.term <= request.term;
    term = entry.term;
    return ok;
  });
}

/** Index of the first entry that the log does not hold; 0 when it holds them all. */
function firstNewEntry(node: CoreNode, request: AppendEntriesRequest): LogIndex {
  for (const entry of request.entries) {
    // The entry that a snapshot ends with is known by its term: after a restore that only this node knows of, it differs.
    if (entry.index < node.log.firstIndex - 1) continue;
    if (entry.index > node.log.lastIndex || node.log.termAt(entry.index) !== entry.term) return entry.index;
  }
  return 0;
}

/** Takes away what conflicts with the leader. Committed entries never do: if they seem to, this node stops. */
function truncate(node: CoreNode, from: LogIndex): boolean {
  if (from <= node.commitIndex) {
    node.halt({
      code: 'RAFT_STORE_CORRUPT',
      message: `the leader's entry ${from} differs from the committed one here: this node or the cluster has lost data`,
      details: { index: from, commitIndex: node.commitIndex },
    });
    return false;
  }
  node.log.truncateFrom(from);
  node.write({ op: 'truncate', from });
  const before = node.configurations.latest.configuration;
  if (node.configurations.truncateFrom(from)) announceConfiguration(node, before);
  return true;
}

function appendReceived(node: CoreNode, requestId: number, entries: readonly LogEntry[]): boolean {
  try {
    for (const entry of entries) {
      if (entry.type !== EntryType.configuration) continue;
      const before = node.configurations.latest.configuration;
      node.configurations.append({ index: entry.index, configuration: decodeConfiguration(entry.data) });
      announceConfiguration(node, before);
    }
  } catch (error) {
    if (!(error instanceof RaftError)) throw error;
    node.configurations.truncateFrom(entries[0]!.index);
    node.emit({ type: 'refuseRequest', requestId, failure: { code: error.code, message: error.message } });
    return false;
  }
  node.append(entries);
  return true;
}

/** Tells observers which configuration counts now, and whom that concerns. */
export function announceConfiguration(node: CoreNode, before: Configuration): void {
  const { latest } = node.configurations;
  node.observe({ event: 'configurationChange', payload: latest });
  for (const change of peerChanges(before, latest.configuration))
    node.observe({ event: 'peerChange', payload: change });
}
