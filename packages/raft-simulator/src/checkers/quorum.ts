import type { Configuration, Server, ServerId } from '@discovery-raft/raft-core';

/** Voters that decide by majority: one group, or two while a joint change is under way (Raft paper, section 6). */
function voterGroupsOf({ servers, outgoing }: Configuration): Set<ServerId>[] {
  return (outgoing === undefined ? [servers] : [servers, outgoing]).map(votersOf);
}

/** Who has a vote in a list of servers. */
function votersOf(servers: readonly Server[]): Set<ServerId> {
  return new Set(servers.filter(({ suffrage }) => suffrage === 'voter').map(({ id }) => id));
}

/** Whether a server has a vote, in either half of a joint configuration. */
export function hasVote({ servers, outgoing = [] }: Configuration, server: ServerId): boolean {
  const votes = ({ id, suffrage }: Server): boolean => id === server && suffrage === 'voter';
  return servers.some(votes) || outgoing.some(votes);
}

/** Whether these servers are a majority of every group. */
export function isQuorum({ servers, outgoing }: Configuration, ids: ReadonlySet<ServerId>): boolean {
  return isMajority(servers, ids) && (outgoing === undefined || isMajority(outgoing, ids));
}

function isMajority(servers: readonly Server[], ids: ReadonlySet<ServerId>): boolean {
  let voters = 0;
  let count = 0;
  for (const { id, suffrage } of servers) {
    if (suffrage !== 'voter') continue;
    voters++;
    if (ids.has(id)) count++;
  }
  return count > voters / 2;
}

/**
 * Two disjoint sets of servers of which one could decide in `a` and the other in `b`; null when every quorum of the one
 * meets every quorum of the other. Tries all ways to divide the voters, so it is for small clusters.
 */
export function disjointQuorums(a: Configuration, b: Configuration): [ServerId[], ServerId[]] | null {
  const all = [...new Set([...voterGroupsOf(a), ...voterGroupsOf(b)].flatMap((group) => [...group]))];
  for (let mask = 0; mask < 1 << all.length; mask++) {
    const [one, other] = [all.filter((_, i) => mask & (1 << i)), all.filter((_, i) => !(mask & (1 << i)))];
    if (isQuorum(a, new Set(one)) && isQuorum(b, new Set(other))) return [one, other];
  }
  return null;
}

/**
 * Why a leader may not go from one configuration to the next; null when it may: the vote of one server at most changes,
 * or a joint configuration is entered or left.
 */
export function whyNoStep(before: Configuration, after: Configuration): string | null {
  if (before.outgoing !== undefined) {
    if (after.outgoing === undefined && sameServers(before.servers, after.servers)) return null;
    return 'a joint configuration is only left for its new half';
  }
  if (after.outgoing !== undefined) {
    return sameServers(before.servers, after.outgoing) ? null : 'the old half of a joint configuration is another';
  }
  const [old, now] = [votersOf(before.servers), votersOf(after.servers)];
  const changed = [...old].filter((id) => !now.has(id)).length + [...now].filter((id) => !old.has(id)).length;
  return changed <= 1 ? null : `${changed} votes change at once`;
}

/** Whether two configurations say the same, in whatever order. */
export function sameConfiguration(a: Configuration, b: Configuration): boolean {
  if (!sameServers(a.servers, b.servers)) return false;
  if (a.outgoing === undefined || b.outgoing === undefined) return a.outgoing === b.outgoing;
  return sameServers(a.outgoing, b.outgoing);
}

function sameServers(a: readonly Server[], b: readonly Server[]): boolean {
  return namesOf(a) === namesOf(b);
}

function namesOf(servers: readonly Server[]): string {
  return servers
    .map(({ id, address, suffrage }) => `${id} ${address} ${suffrage}`)
    .sort()
    .join();
}

/** A configuration for people. */
export function describeConfiguration({ servers, outgoing }: Configuration): string {
  const list = (of: readonly Server[]): string =>
    of.map(({ id, suffrage }) => (suffrage === 'voter' ? id : `${id} (${suffrage})`)).join(' ');
  return outgoing === undefined ? list(servers) : `${list(outgoing)} > ${list(servers)}`;
}
