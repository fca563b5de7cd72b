import { fromBinary } from '@bufbuild/protobuf';
import { slotAt, slotStart } from '@discovery-raft/discovery-consensus-fsm';
import { DiscoveryItemSchema, type DiscoveryItem } from '@discovery-raft/protocol';
import { peekSignedMessage } from '@discovery-raft/psp-pki';
import { RaftError } from '@discovery-raft/raft-core';
import type { ListRecord } from '@discovery-raft/raft-log-list';
import type { DiscoveryNode } from '../node/discovery-node.js';
import type { ManualClock } from '../time/manual-clock.js';
import type { NodeKeys } from '../keys/key-folder.js';
import { AdminError } from './admin-error.js';
import { getRoots, publishRoot, signRoot } from './root-handlers.js';
import type { AdminHandlers } from './admin-server.js';
import type { AdminResults, CompleteParams, ListedItem, RoundReport, StatusReport } from './protocol.js';

/** How long a node that handed leadership over waits to hear who took it. */
const SUCCESSOR_MS = 2000;

/** What the process tells of itself, beside the node. */
export interface AdminHost {
  readonly node: DiscoveryNode;
  /** What only the process knows of a status. */
  describe(): Promise<Pick<StatusReport, 'process' | 'links' | 'storeBytes'>>;
  /** How the last round ended here. */
  lastRound(): RoundReport | null;
  /** Where a node is; null for one that neither the configuration nor a trust root names. */
  readonly addressOf: (identity: string) => string | null;
  /** The time of day, when it only moves by command; null for a node in real time. */
  readonly manualClock: ManualClock | null;
  /** Unix seconds by the node's wall clock. */
  now(): number;
  metrics(): Promise<string>;
  /** Uses the keys that are in the key folder now. */
  reloadKeys(): Promise<NodeKeys>;
  /** Begins to stop the process. */
  stop(): void;
}

/** The methods of the admin protocol on a running node. */
export function adminHandlers(host: AdminHost): AdminHandlers {
  const { node } = host;
  const changed = async (change: Promise<number>): Promise<{ readonly index: number }> => ({
    index: await asLeader(host, change),
  });
  return {
    status: () => status(host),
    list: (params) => listPage(node, params),
    round: (params) => round(host, params),
    transfer: (params) => transfer(host, params),
    'members.list': () => membersList(host),
    'members.add': ({ identity, voter, timeoutMs }) => {
      checkKnown(host, identity);
      const { raft } = node;
      const add = voter ? raft.addVoter.bind(raft) : raft.addNonvoter.bind(raft);
      return changed(add(identity, identity, { timeoutMs }));
    },
    'members.remove': ({ identity, timeoutMs }) => {
      checkServer(node, identity);
      return changed(node.raft.removeServer(identity, { timeoutMs }));
    },
    'members.promote': ({ identity, timeoutMs }) => {
      checkKnown(host, identity);
      return changed(node.raft.addVoter(identity, identity, { timeoutMs }));
    },
    'members.demote': ({ identity, timeoutMs }) => {
      checkServer(node, identity);
      return changed(node.raft.demoteVoter(identity, { timeoutMs }));
    },
    'root.get': () => getRoots(node, host.now()),
    'root.sign': ({ root }) => signRoot(node, root),
    'root.publish': ({ signed }) => publishRoot(node, signed),
    'keys.reload': async () => {
      const { fingerprint, identity } = await host.reloadKeys();
      return { fingerprint, signsUntil: identity.certificate.notAfter };
    },
    snapshot: async () => {
      const { id, index, size } = await node.raft.snapshot();
      return { id, index, bytes: size };
    },
    metrics: async () => ({ text: await host.metrics() }),
    'clock.get': () => ({ unixSeconds: host.now(), manual: host.manualClock !== null }),
    'clock.set': ({ unixSeconds }) => setClock(host, unixSeconds),
    stop: () => {
      host.stop();
      return { stopping: true };
    },
  };
}

async function status(host: AdminHost): Promise<StatusReport> {
  const { node } = host;
  const own = node.status();
  const { config } = node.consensus;
  const slot = slotAt(config, own.now);
  return {
    ...own,
    ...(await host.describe()),
    rounds: { slot, nextAt: slotStart(config, slot + 1), last: host.lastRound() },
  };
}

function listPage(node: DiscoveryNode, { after, limit, identity }: CompleteParams<'list'>): AdminResults['list'] {
  const { list } = node;
  // A view would put all identities in order to find one.
  if (identity !== undefined) return { items: list.get(identity).map(describe), next: null, index: list.appliedIndex };
  const view = list.view();
  const items: ListedItem[] = [];
  for (const record of view.entries()) {
    if (after !== undefined && record.identity <= after) continue;
    // A page never ends in the middle of an identity, which would be cut off by `after`.
    const last = items.at(-1)?.identity;
    if (items.length >= limit && record.identity !== last) return { items, next: last!, index: view.index };
    items.push(describe(record));
  }
  return { items, next: null, index: view.index };
}

function describe({ identity, expiration, packet, attestations }: ListRecord): ListedItem {
  const item = itemOf(packet);
  return {
    identity,
    expiration,
    mode: item?.mode ?? '',
    address: item?.address ?? [],
    attesters: attestations.map(({ attester }) => attester),
  };
}

function itemOf(packet: Uint8Array): DiscoveryItem | undefined {
  try {
    return fromBinary(DiscoveryItemSchema, peekSignedMessage(packet).message);
  } catch {
    // The list takes any packet whose identity can be read; the rest is for people only.
    return undefined;
  }
}

async function round(
  host: AdminHost,
  { begin, wait, timeoutMs }: CompleteParams<'round'>,
): Promise<AdminResults['round']> {
  const { consensus } = host.node;
  if (!wait) return { round: begin ? consensus.initiateVoting() : null, ended: null };
  let begun: number | undefined;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stopListening();
      reject(new AdminError('ADMIN_TIMEOUT', `the round did not end within ${timeoutMs} ms`, { retryable: true }));
    }, timeoutMs);
    const stopListening = consensus.on('roundEnded', (ended) => {
      if (begun !== undefined && ended.round !== begun) return;
      clearTimeout(timer);
      stopListening();
      resolve({ round: ended.round, ended: { ...ended } });
    });
    try {
      if (begin) begun = consensus.initiateVoting();
    } catch (error) {
      clearTimeout(timer);
      stopListening();
      reject(error);
    }
  });
}

async function transfer(
  host: AdminHost,
  { target, timeoutMs }: CompleteParams<'transfer'>,
): Promise<AdminResults['transfer']> {
  const { raft } = host.node;
  const handedOver = asLeader(host, raft.leadershipTransfer(target ?? null));
  await withTimeout(handedOver, timeoutMs, 'leadership was not handed over');
  return { leaderId: await successor(raft) };
}

/** Who leads after a transfer; the one that handed over learns it with the first heartbeat. */
function successor(raft: DiscoveryNode['raft']): Promise<string | null> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (raft.leader === null) return;
      clearTimeout(timer);
      raft.off('leaderChange', look);
      resolve(raft.leader.id);
    };
    const timer = setTimeout(() => {
      raft.off('leaderChange', look);
      resolve(null);
    }, SUCCESSOR_MS);
    raft.on('leaderChange', look);
    look();
  });
}

/** Tells who asked a node that does not lead where the leader is. */
async function asLeader<T>({ node, addressOf }: AdminHost, act: Promise<T>): Promise<T> {
  try {
    return await act;
  } catch (error) {
    if (!(error instanceof RaftError) || error.code !== 'RAFT_NOT_LEADER') throw error;
    const { leader } = node.raft;
    const where = leader === null ? 'and knows no leader now' : `but ${leader.id} at ${addressOf(leader.id) ?? '?'}`;
    throw new RaftError('RAFT_NOT_LEADER', `this node does not lead, ${where}`, error.details, error);
  }
}

/** Raft takes the removal of a server that it has not for done, which would tell of a slip of the pen that all is well. */
function checkServer({ raft }: DiscoveryNode, identity: string): void {
  // Any other node says who leads.
  if (raft.state !== 'leader') return;
  const { servers } = raft.getConfiguration().configuration;
  if (servers.some(({ id }) => id === identity)) return;
  const message = `${identity} is no server of this cluster: \`discovery-node members list\` names them`;
  throw new AdminError('ADMIN_NOT_ALLOWED', message);
}

function membersList({ node, addressOf }: AdminHost): AdminResults['members.list'] {
  const { index, configuration } = node.raft.getConfiguration();
  const servers = configuration.servers.map(({ id, suffrage }) => {
    const address = addressOf(id);
    return { id, suffrage, configured: address !== null, address };
  });
  return { index, servers };
}

/** A server that nobody knows the address of would never catch up. */
function checkKnown(host: AdminHost, identity: string): void {
  if (host.addressOf(identity) !== null) return;
  const advice = 'have a trust root name it, with `discovery-node root propose --add`';
  throw new AdminError('ADMIN_NOT_ALLOWED', `nobody says where ${identity} is: ${advice}`);
}

function setClock({ manualClock }: AdminHost, unixSeconds: number): AdminResults['clock.set'] {
  if (manualClock === null) {
    throw new AdminError(
      'ADMIN_NOT_ALLOWED',
      'this node runs in real time: only one started with --manual-clock can be set',
    );
  }
  if (unixSeconds < manualClock.seconds) {
    throw new AdminError('ADMIN_INVALID_PARAMS', `the clock is at ${manualClock.seconds} and never goes back`);
  }
  manualClock.jumpTo(unixSeconds);
  return { unixSeconds: manualClock.seconds };
}

/** @throws AdminError ADMIN_TIMEOUT; what was begun may still happen */
export function withTimeout<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new AdminError('ADMIN_TIMEOUT', `${what} within ${timeoutMs} ms`, { retryable: true })),
      timeoutMs,
    );
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
