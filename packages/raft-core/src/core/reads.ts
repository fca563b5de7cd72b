import { allServers, voterGroups } from './configuration.js';
import type { Effect, Failure } from './effects.js';
import { holdsLease } from './lease.js';
import type { CoreNode, LeaderRole } from './node.js';
import type { ReadMode } from './options.js';
import { reachedByQuorum } from './quorum.js';
import { sendHeartbeat } from './replication.js';
import type { ReadIndexResponse } from './rpc.js';
import type { LogIndex } from './types.js';

/**
 * Reads in numbered rounds (Raft thesis, section 6.4): a read waits until a quorum has acknowledged requests that were
 * sent after it came. Reads that come while a round is under way share the next.
 *
 * @param id of the read; the negative of a request's id for one that a follower forwarded
 */
export function requestRead(node: CoreNode, role: LeaderRole, id: number, mode: ReadMode): void {
  if (mode === 'lease' && holdsLease(node, role)) return resolveReads(node, [id], node.commitIndex);
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
  resolveReads(node, current.ids, node.commitIndex);
  startReads(node, role);
}

function resolveReads(node: CoreNode, ids: readonly number[], index: LogIndex): void {
  const own = ids.filter((id) => id > 0);
  if (own.length > 0) node.emit({ type: 'resolveReads', ids: own, index });
  for (const id of ids) {
    if (id < 0) node.reply(-id, { kind: 'readIndexResponse', header: node.header, term: node.term, index });
  }
}

/** Tells who waits for reads that they are not confirmed. */
export function refuseReads(node: CoreNode, ids: readonly number[], failure: Failure): void {
  const own = ids.filter((id) => id > 0);
  if (own.length > 0) node.emit({ type: 'refuseReads', ids: own, failure });
  for (const id of ids) if (id < 0) node.emit({ type: 'refuseRequest', requestId: -id, failure });
}

/** A follower asks on behalf of its callers. */
export function handleReadIndex(node: CoreNode, requestId: number): void {
  const { role } = node;
  if (role.kind === 'leader') return requestRead(node, role, -requestId, node.config.readMode);
  refuseReads(node, [-requestId], { code: 'RAFT_NOT_LEADER', message: 'this node does not lead' });
}

/** Has the leader confirm a read: those that come while one request is under way share the next. */
export function forwardRead(node: CoreNode, id: number): void {
  node.forwards.waiting.push(id);
  sendForward(node);
}

function sendForward(node: CoreNode): void {
  const { forwards, leaderId, leaderAddress } = node;
  if (forwards.rpcId !== 0 || forwards.waiting.length === 0) return;
  const ids = forwards.waiting;
  forwards.waiting = [];
  if (leaderId === null || leaderId === node.id) {
    return refuseReads(node, ids, {
      code: 'RAFT_NOT_LEADER',
      message: 'this node does not lead, and knows of no leader',
    });
  }
  const known = allServers(node.configurations.latest.configuration).find((server) => server.id === leaderId);
  forwards.rpcId = ++node.rpcIds;
  forwards.asked = ids;
  const send: Effect = {
    type: 'send',
    rpcId: forwards.rpcId,
    to: known ?? { id: leaderId, address: leaderAddress ?? '', suffrage: 'voter' },
    timeoutMs: node.config.electionTimeoutMs,
    request: { kind: 'readIndex', header: node.header, term: node.term },
  };
  if (node.isTermDurable) node.emit(send);
  else node.emitDurable(send);
}

/** The leader answered, or did not (null). */
export function forwardAnswered(node: CoreNode, rpcId: number, response: ReadIndexResponse | null): void {
  const { forwards } = node;
  if (forwards.rpcId !== rpcId) return;
  const ids = forwards.asked;
  forwards.rpcId = 0;
  forwards.asked = [];
  if (response !== null) resolveReads(node, ids, response.index);
  else refuseReads(node, ids, { code: 'RAFT_NOT_LEADER', message: 'the leader did not confirm the read; try again' });
  sendForward(node);
}
