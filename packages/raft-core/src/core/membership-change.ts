import { allServers, checkConfiguration, isVoter } from './configuration.js';
import { RaftError } from './errors.js';
import type { Configuration, Server, ServerAddress, ServerId } from './types.js';

/** A wish to change who belongs to the cluster. */
export type MembershipChange =
  /** Makes a server a voter: at first `staging`, promoted by the leader once it has caught up. */
  | { readonly kind: 'addVoter'; readonly id: ServerId; readonly address: ServerAddress }
  /** Adds a server that receives the log and does not vote. */
  | { readonly kind: 'addNonvoter'; readonly id: ServerId; readonly address: ServerAddress }
  /** Takes the vote from a server, which goes on receiving the log. */
  | { readonly kind: 'demoteVoter'; readonly id: ServerId }
  | { readonly kind: 'removeServer'; readonly id: ServerId }
  /** Replaces all members at once, through a joint configuration (Raft paper, section 6). */
  | { readonly kind: 'replace'; readonly servers: readonly Server[] };

/**
 * The configuration that a change leads to next; null when it changes nothing. Changes of one voter go in one step, which
 * is safe since old and new majorities overlap; `replace` gives a joint configuration.
 *
 * @throws RaftError RAFT_INVALID_CONFIGURATION
 */
export function nextConfiguration(current: Configuration, change: MembershipChange): Configuration | null {
  const next = apply(current, change);
  if (next === null) return null;
  checkConfiguration(next);
  return next;
}

function apply(current: Configuration, change: MembershipChange): Configuration | null {
  const { servers } = current;
  const known = 'id' in change ? servers.find(({ id }) => id === change.id) : undefined;
  switch (change.kind) {
    case 'addVoter': {
      if (known === undefined)
        return withServer(servers, { id: change.id, address: change.address, suffrage: 'staging' });
      // A voter may only be told to live elsewhere; anybody else has to catch up first.
      const suffrage = isVoter(known) ? 'voter' : 'staging';
      return changed(servers, known, { ...known, address: change.address, suffrage });
    }
    case 'addNonvoter': {
      if (known === undefined)
        return withServer(servers, { id: change.id, address: change.address, suffrage: 'nonvoter' });
      // hashicorp/raft: a voter keeps its vote, and takes the address.
      return changed(servers, known, { ...known, address: change.address });
    }
    case 'demoteVoter':
      if (known === undefined) throw unknownServer(change.id);
      return changed(servers, known, { ...known, suffrage: 'nonvoter' });
    case 'removeServer':
      return known === undefined ? null : { servers: servers.filter((server) => server !== known) };
    case 'replace':
      checkConfiguration({ servers: change.servers });
      return sameServers(servers, change.servers) ? null : { servers: change.servers, outgoing: servers };
  }
}

function withServer(servers: readonly Server[], server: Server): Configuration {
  return { servers: [...servers, server] };
}

function changed(servers: readonly Server[], before: Server, after: Server): Configuration | null {
  if (before.address === after.address && before.suffrage === after.suffrage) return null;
  return { servers: servers.map((server) => (server === before ? after : server)) };
}

function unknownServer(id: ServerId): RaftError {
  return new RaftError('RAFT_INVALID_CONFIGURATION', `invalid configuration: ${id} is not a member`);
}

function sameServers(a: readonly Server[], b: readonly Server[]): boolean {
  const text = (servers: readonly Server[]): string =>
    servers
      .map(({ id, address, suffrage }) => JSON.stringify([id, address, suffrage]))
      .toSorted((x, y) => (x < y ? -1 : 1))
      .join();
  return text(a) === text(b);
}

/** What the leader does next by itself with a committed configuration; null when it is as it should be. */
export function continuation(current: Configuration, caughtUp: (id: ServerId) => boolean): Configuration | null {
  if (current.outgoing !== undefined) return { servers: current.servers };
  const ready = current.servers.find(({ id, suffrage }) => suffrage === 'staging' && caughtUp(id));
  if (ready === undefined) return null;
  return { servers: current.servers.map((server) => (server === ready ? { ...ready, suffrage: 'voter' } : server)) };
}

/** Who joined or changed, and who left, between two configurations. */
export function peerChanges(before: Configuration, after: Configuration): { peer: Server; removed: boolean }[] {
  const old = new Map(allServers(before).map((server) => [server.id, server]));
  const changes: { peer: Server; removed: boolean }[] = [];
  for (const peer of allServers(after)) {
    const known = old.get(peer.id);
    old.delete(peer.id);
    if (known?.address !== peer.address || known.suffrage !== peer.suffrage) changes.push({ peer, removed: false });
  }
  for (const peer of old.values()) changes.push({ peer, removed: true });
  return changes;
}
