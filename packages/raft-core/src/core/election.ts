import { allServers, isVoterIn, voterGroups } from './configuration.js';
import type { CoreNode, CandidateRole, Role } from './node.js';
import { tally } from './quorum.js';
import type { RequestPreVoteRequest, RequestVoteRequest, RpcHeader, RpcResponse } from './rpc.js';
import { keepsForgottenPromise } from './lease.js';
import { abandonLeadership, startLeading } from './leadership.js';
import type { RaftState, ServerAddress, ServerId, Term } from './types.js';

/** Puts the election off: the next one is random in [`ms`, 2 × `ms`) from now. */
export function resetElectionTimer(node: CoreNode, ms: number): void {
  node.electionAt = node.now + node.spread(ms);
  node.excused = false;
}

/**
 * Starts the first election timer. Who needs nobody's vote has nobody to wait for and leads at once, as soon as its own vote is
 * durable; nor is its being late an excuse to wait, since no message could be under way.
 */
export function startElectionTimer(node: CoreNode): void {
  resetElectionTimer(node, node.config.heartbeatTimeoutMs);
  if (!mayCampaign(node) || !isEnough(node, new Map([[node.id, true]])) || keepsForgottenPromise(node)) return;
  node.electionAt = node.now;
  node.excused = true;
}

/** Changes the role; what belonged to the old one is dropped with it. */
export function setRole(node: CoreNode, role: Role): void {
  const from: RaftState = node.role.kind;
  if (node.role.kind === 'leader') abandonLeadership(node, node.role);
  node.role = role;
  if (from !== role.kind) {
    node.observe({ event: 'stateChange', payload: { from, to: role.kind, term: node.term } });
  }
}

/** Notes who leads; null when nobody is known to. */
export function setLeader(node: CoreNode, id: ServerId | null, address: ServerAddress | null): void {
  if (node.leaderId === id && node.leaderAddress === address) return;
  node.leaderId = id;
  node.leaderAddress = address;
  node.observe({ event: 'leaderChange', payload: { leaderId: id, leaderAddress: address, term: node.term } });
}

/** Becomes a follower of `term`, of a leader that is known or not yet. */
export function becomeFollower(node: CoreNode, term: Term, leader: RpcHeader | null): void {
  if (term > node.term) node.setHardState(term, null);
  if (node.role.kind !== 'follower') {
    setRole(node, { kind: 'follower' });
    resetElectionTimer(node, node.config.heartbeatTimeoutMs);
  }
  setLeader(node, leader?.id ?? null, leader?.address ?? null);
}

/**
 * Whether this node may campaign: a voter whose store works. One whose vote only the newest configuration in its log takes
 * may too, until it knows that this is committed: the others may be unable to win without this node's vote, which its longer
 * log forbids it to give. Its own vote then counts only in a group that names it (Raft thesis, section 4.2.2).
 */
export function mayCampaign(node: CoreNode): boolean {
  const { configurations, commitIndex, id } = node;
  if (node.storeFailed) return false;
  // No term is left that a number can hold: the next would be taken for the one after it, and could be voted in twice.
  if (node.term >= Number.MAX_SAFE_INTEGER) return false;
  const { latest } = configurations;
  const before = configurations.at(Math.max(commitIndex, latest.index - 1));
  return isVoterIn(latest.configuration, id) || isVoterIn(before.configuration, id);
}

/** The election timer fired. */
export function electionTimedOut(node: CoreNode): void {
  if (!mayCampaign(node)) {
    resetElectionTimer(node, node.config.heartbeatTimeoutMs);
    return;
  }
  setLeader(node, null, null);
  if (node.config.preVote) askPreVotes(node);
  else campaign(node, false);
}

/** Asks whether an election could be won; changes nothing that is stored (Raft thesis, section 9.6). */
function askPreVotes(node: CoreNode): void {
  const role: CandidateRole = {
    kind: 'preCandidate',
    votes: new Map([[node.id, true]]),
    rpcs: new Set(),
    selfVoteSeq: 0,
  };
  setRole(node, role);
  resetElectionTimer(node, node.config.electionTimeoutMs);
  const request: RequestPreVoteRequest = {
    kind: 'requestPreVote',
    header: node.header,
    term: node.term + 1,
    lastLogIndex: node.log.lastIndex,
    lastLogTerm: node.log.lastTerm,
  };
  askVoters(node, role, request);
  decide(node, role);
}

/** Starts an election. Nothing leaves before the vote for itself is durable. */
export function campaign(node: CoreNode, leadershipTransfer: boolean): void {
  node.setHardState(node.term + 1, node.id);
  const role: CandidateRole = { kind: 'candidate', votes: new Map(), rpcs: new Set(), selfVoteSeq: node.nextSeq };
  setRole(node, role);
  setLeader(node, null, null);
  resetElectionTimer(node, node.config.electionTimeoutMs);
  const request: RequestVoteRequest = {
    kind: 'requestVote',
    header: node.header,
    term: node.term,
    lastLogIndex: node.log.lastIndex,
    lastLogTerm: node.log.lastTerm,
    leadershipTransfer,
  };
  askVoters(node, role, request);
}

function askVoters(node: CoreNode, role: CandidateRole, request: RequestVoteRequest | RequestPreVoteRequest): void {
  const { configuration } = node.configurations.latest;
  for (const server of allServers(configuration)) {
    if (server.id === node.id || !isVoterIn(configuration, server.id)) continue;
    const rpcId = ++node.rpcIds;
    role.rpcs.add(rpcId);
    const send = { type: 'send', rpcId, to: server, request, timeoutMs: node.config.electionTimeoutMs } as const;
    if (role.kind === 'candidate') node.emitDurable(send);
    else node.emit(send);
  }
}

/** This candidate's vote for itself is durable, and counts. */
export function countSelfVote(node: CoreNode): void {
  const { role } = node;
  if (role.kind !== 'candidate' || role.votes.has(node.id) || node.durableSeq < role.selfVoteSeq) return;
  role.votes.set(node.id, true);
  decide(node, role);
}

/** A vote came in. */
export function voteReceived(node: CoreNode, rpcId: number, peerId: ServerId, response: RpcResponse): void {
  const { role } = node;
  if (role.kind !== 'candidate' && role.kind !== 'preCandidate') return;
  if (!role.rpcs.delete(rpcId)) return;
  const expected = role.kind === 'candidate' ? 'requestVoteResponse' : 'requestPreVoteResponse';
  if (response.kind !== expected) return;
  role.votes.set(peerId, response.granted);
  decide(node, role);
}

/** Whether these votes make a leader. */
function isEnough(node: CoreNode, votes: ReadonlyMap<ServerId, boolean>): boolean {
  return tally(voterGroups(node.configurations.latest.configuration), votes) === 'won';
}

function decide(node: CoreNode, role: CandidateRole): void {
  if (!isEnough(node, role.votes)) return;
  if (role.kind === 'preCandidate') campaign(node, false);
  else {
    setRole(node, startLeading(node));
    setLeader(node, node.id, node.address);
    node.electionAt = Infinity;
  }
}

/**
 * Whether this node shields the leader that it hears: it then neither votes nor learns a higher term from a campaign, so
 * a server that was cut off or removed cannot depose a leader that works (Raft thesis, section 4.2.3).
 */
function shieldsLeader(node: CoreNode, candidate: ServerId): boolean {
  if (node.role.kind === 'leader') return node.config.checkQuorum;
  if (keepsForgottenPromise(node)) return true;
  if (node.leaderId === null || node.leaderId === candidate) return false;
  return node.now - node.leaderContactAt < node.config.heartbeatTimeoutMs;
}

/** Raft paper, figure 2: RequestVote. */
export function handleRequestVote(node: CoreNode, requestId: number, request: RequestVoteRequest): void {
  const candidateId = request.header.id;
  const respond = (granted: boolean): void => {
    node.observe({ event: 'voteRequest', payload: { candidateId, term: request.term, granted } });
    node.reply(requestId, { kind: 'requestVoteResponse', header: node.header, term: node.term, granted });
  };
  if (request.term < node.term) return respond(false);
  if (!request.leadershipTransfer && shieldsLeader(node, candidateId)) return respond(false);
  if (request.term > node.term) becomeFollower(node, request.term, null);
  const free = node.votedFor === null || node.votedFor === candidateId;
  if (!free || !node.log.isUpToDate(request.lastLogIndex, request.lastLogTerm)) return respond(false);
  becomeFollower(node, node.term, null);
  if (node.votedFor === null) node.setHardState(node.term, candidateId);
  resetElectionTimer(node, node.config.heartbeatTimeoutMs);
  respond(true);
}

/** Raft thesis, section 9.6: answers from what this node knows, and changes nothing. */
export function handleRequestPreVote(node: CoreNode, requestId: number, request: RequestPreVoteRequest): void {
  const candidateId = request.header.id;
  const granted =
    request.term > node.term &&
    !shieldsLeader(node, candidateId) &&
    node.log.isUpToDate(request.lastLogIndex, request.lastLogTerm);
  node.observe({ event: 'preVoteRequest', payload: { candidateId, term: request.term, granted } });
  node.reply(requestId, { kind: 'requestPreVoteResponse', header: node.header, term: node.term, granted });
}
