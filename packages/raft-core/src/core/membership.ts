import { announceConfiguration } from './append.js';
import { encodeConfiguration, isVoterIn } from './configuration.js';
import { becomeFollower } from './election.js';
import { RaftError, type ProposalOutcome, type RaftErrorCode } from './errors.js';
import { appendAsLeader, syncProgress } from './leadership.js';
import { continuation, nextConfiguration, type MembershipChange } from './membership-change.js';
import type { CoreNode, LeaderRole } from './node.js';
import { broadcast } from './replication.js';
import type { TimeoutNowRequest } from './rpc.js';
import { EntryType, type Configuration, type LogEntry, type LogIndex } from './types.js';

/** A change that a caller asked for. */
export interface MembershipRequest {
  readonly id: number;
  readonly change: MembershipChange;
  /** Compare-and-set: index of the configuration that the caller saw; 0 takes any. */
  readonly prevIndex: LogIndex;
  readonly wallNowMs: number;
}

/** Most changes that wait for their turn. */
const MAX_WAITING_CHANGES = 64;

/** Takes a change of the membership. It waits for its turn: changes go one at a time, each after the last is committed. */
export function changeMembership(node: CoreNode, role: LeaderRole, request: MembershipRequest): void {
  if (role.transfer !== null) {
    return refuse(node, request.id, 'RAFT_TRANSFER_IN_PROGRESS', 'leadership is being handed over');
  }
  if (role.waitingChanges.length >= MAX_WAITING_CHANGES) {
    return refuse(node, request.id, 'RAFT_CONFIGURATION_PENDING', `${MAX_WAITING_CHANGES} changes wait already`);
  }
  role.waitingChanges.push(request);
  continueMembership(node, role);
}

/**
 * Goes on with the membership, if the configuration that counts is committed: leaves a joint one, promotes who has caught
 * up, begins the next change; or steps down, if this node is out.
 *
 * An entry of this term must be committed first: a new leader may not know what became of an earlier change (the bug of
 * the single-server changes in the Raft thesis, found in 2015).
 */
export function continueMembership(node: CoreNode, role: LeaderRole): void {
  const latest = node.configurations.latest;
  if (role.restore !== null) return;
  if (node.commitIndex < role.firstIndex || latest.index > node.commitIndex) return;
  dropLeavers(node, role, latest.index);
  refuseTakenBack(node, role, latest.configuration);
  const next = continuation(latest.configuration, (id) => {
    const p = role.progress.get(id);
    return p !== undefined && p.mode === 'replicate' && p.match >= node.commitIndex;
  });
  if (next !== null) {
    const index = appendConfiguration(node, role, next, 0);
    const done = role.changes.filter(({ change }) => isReached(next, change));
    role.changes = role.changes.filter(({ change }) => !isReached(next, change));
    for (const { id } of done) node.emit({ type: 'proposed', ids: [id], firstIndex: index, term: node.term });
    return;
  }
  if (!isVoterIn(latest.configuration, node.id)) return handOver(node, role);
  const request = role.waitingChanges.shift();
  if (request !== undefined) begin(node, role, request);
}

function begin(node: CoreNode, role: LeaderRole, { id, change, prevIndex, wallNowMs }: MembershipRequest): void {
  const { index: latestIndex, configuration: latest } = node.configurations.latest;
  let next: Configuration | null;
  try {
    if (prevIndex !== 0 && prevIndex !== latestIndex) {
      const message = `the configuration is now of index ${latestIndex}, not ${prevIndex}`;
      throw new RaftError('RAFT_CONFIGURATION_CHANGED', message);
    }
    next = nextConfiguration(latest, change);
  } catch (error) {
    if (!(error instanceof RaftError)) throw error;
    refuse(node, id, error.code, error.message);
    return continueMembership(node, role);
  }
  // What is so already is confirmed by the log like everything else: by an entry that says it again.
  const configuration = next ?? latest;
  const index = appendConfiguration(node, role, configuration, wallNowMs);
  if (takesMoreSteps(configuration, change)) role.changes.push({ id, change });
  else node.emit({ type: 'proposed', ids: [id], firstIndex: index, term: node.term });
}

function refuse(
  node: CoreNode,
  id: number,
  code: RaftErrorCode,
  message: string,
  outcome: ProposalOutcome = 'notAppended',
): void {
  node.emit({ type: 'refuseProposals', ids: [id], outcome, failure: { code, message } });
}

/** Who waits for a server's vote waits in vain when another change took the server back. */
function refuseTakenBack(node: CoreNode, role: LeaderRole, { servers }: Configuration): void {
  if (role.changes.length === 0) return;
  const inVain = ({ change }: LeaderRole['changes'][number]): boolean =>
    change.kind === 'addVoter' && !servers.some(({ id, suffrage }) => id === change.id && suffrage !== 'nonvoter');
  const taken = role.changes.filter(inVain);
  role.changes = role.changes.filter((waiting) => !inVain(waiting));
  for (const { id } of taken) {
    refuse(
      node,
      id,
      'RAFT_CONFIGURATION_CHANGED',
      'another change took the server back before it had its vote',
      'lost',
    );
  }
}

function takesMoreSteps({ servers, outgoing }: Configuration, change: MembershipChange): boolean {
  if (change.kind === 'replace') return outgoing !== undefined;
  return change.kind === 'addVoter' && servers.some(({ id, suffrage }) => id === change.id && suffrage === 'staging');
}

function isReached(configuration: Configuration, change: MembershipChange): boolean {
  if (change.kind === 'replace') return configuration.outgoing === undefined;
  return configuration.servers.some(({ id, suffrage }) => id === change.id && suffrage === 'voter');
}

function appendConfiguration(
  node: CoreNode,
  role: LeaderRole,
  configuration: Configuration,
  wallNowMs: number,
): LogIndex {
  const index = node.log.lastIndex + 1;
  const entry: LogEntry = {
    index,
    term: node.term,
    type: EntryType.configuration,
    data: encodeConfiguration(configuration),
    ...(wallNowMs > 0 ? { appendedAtMs: wallNowMs } : {}),
  };
  const before = node.configurations.latest.configuration;
  node.configurations.append({ index, configuration });
  appendAsLeader(node, role, [entry]);
  syncProgress(node, role);
  announceConfiguration(node, before);
  broadcast(node, role);
  return index;
}

/** Who was removed hears of it, as far as that can be done in time, and then nothing more. */
function dropLeavers(node: CoreNode, role: LeaderRole, configurationIndex: LogIndex): void {
  for (const [id, p] of role.progress) {
    if (p.leavesAt === 0) continue;
    const knows = p.sentCommit >= configurationIndex && p.match >= configurationIndex;
    if (knows || node.now >= p.leavesAt) role.progress.delete(id);
  }
}

/** This leader is no voter of the committed configuration: the best of the others campaigns at once, and it steps down. */
function handOver(node: CoreNode, role: LeaderRole): void {
  const { configuration } = node.configurations.latest;
  let best = null;
  for (const p of role.progress.values()) {
    if (isVoterIn(configuration, p.server.id) && (best === null || p.match > best.match)) best = p;
  }
  if (best !== null) {
    const request: TimeoutNowRequest = { kind: 'timeoutNow', header: node.header, term: node.term };
    node.emit({
      type: 'send',
      rpcId: ++node.rpcIds,
      to: best.server,
      request,
      timeoutMs: node.config.electionTimeoutMs,
    });
  }
  becomeFollower(node, node.term, null);
}
