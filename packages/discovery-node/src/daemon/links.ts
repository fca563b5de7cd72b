import { isIPv6 } from 'node:net';
import {
  fingerprintOfCredentials,
  LinkKeeper,
  linkLimits,
  PspListener,
  StreamNamespace,
  type LinkCredentials,
  type PspConnection,
} from '@discovery-raft/psp-link';
import type { Clock, Logger, Random } from '@discovery-raft/raft-core';
import type { ClientSource } from '../node/client-session.js';
import type { ReachableNode } from '../roots/known-nodes.js';
import type { DiscoveryNode } from '../node/discovery-node.js';
import type { Deployment } from './deployment.js';

/** What is linked here. */
export interface LinkReport {
  /** Identity. */
  readonly peer: string;
  /** Where it is dialled. */
  readonly address: string;
  /** `up`, `connecting`, or `backoff` with the reason. */
  readonly state: string;
}

/** The listener and the links of a node. */
export interface NodeLinks {
  /** Where it listens. */
  readonly port: number;
  states(): readonly LinkReport[];
  /** Numbers of the listener and the keeper, by name. */
  counters(): Readonly<Record<string, number>>;
  /** Uses other credentials from now on. With another fingerprint the links to peers are made anew; clients stay. */
  useCredentials(credentials: LinkCredentials): void;
  /** Takes no new clients from now on; what is there stays. */
  stopAccepting(): void;
  close(): Promise<void>;
}

/** What {@link openLinks} takes. */
export interface LinksOptions {
  readonly deployment: Pick<Deployment, 'loaded'>;
  readonly credentials: LinkCredentials;
  readonly node: DiscoveryNode;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Listens for clients and peers, dials the peers, and gives the node what comes of it. @throws LinkError */
export async function openLinks(options: LinksOptions): Promise<NodeLinks> {
  const { deployment, node, clock, logger } = options;
  const { config } = deployment.loaded;
  const { maxConnections, maxConnectionsPerAddress, host, port } = config.listen;
  const limits = linkLimits({ maxConnections, maxConnectionsPerAddress });
  let { credentials } = options;
  let keeper = makeKeeper(options, credentials, limits);
  node.rootService.onPeers((peers) => setPeers(keeper, peers, logger));
  let accepting = true;
  const listener = await PspListener.listen({
    host,
    port,
    credentials,
    trusted: (fingerprint) => keeper.isPeer(fingerprint),
    limits,
    clock,
    logger,
    onConnection: (connection) => {
      if (connection.peer.fingerprint !== null) keeper.accept(connection);
      else if (accepting) serveClient(node, connection);
      else connection.close();
    },
  }).catch((error: unknown) => {
    keeper.close();
    throw error;
  });
  return {
    port: listener.port,
    states: () => statesOf(node, keeper, clock),
    // What is open now goes up and down, and is no counter.
    counters: () => flat({ listener: listener.counters, keeper: keeper.counters }, (name) => !name.endsWith('Open')),
    useCredentials(fresh) {
      listener.setCredentials(fresh);
      if (fingerprintOfCredentials(fresh) === fingerprintOfCredentials(credentials)) keeper.setCredentials(fresh);
      else {
        keeper.close();
        keeper = makeKeeper(options, fresh, limits);
      }
      credentials = fresh;
    },
    stopAccepting() {
      accepting = false;
    },
    async close() {
      keeper.close();
      await listener.close();
    },
  };
}

function makeKeeper(
  { node, clock, random, logger }: LinksOptions,
  credentials: LinkCredentials,
  limits: ReturnType<typeof linkLimits>,
): LinkKeeper {
  const self = fingerprintOfCredentials(credentials);
  const keeper = new LinkKeeper({ self, credentials, peers: [], clock, random, logger, limits });
  setPeers(keeper, node.rootService.peers, logger);
  keeper.onLink((peer, link) => {
    const { main, bulk } = link;
    // A peer of one stream gives it twice; it must be read once.
    node.attachPeer(peer, bulk === main ? { main } : { main, bulk });
    logger.info('a link is up', { peer });
    link.onClose((error) => logger.info('a link is down', { peer, ...(error === null ? {} : { error }) }));
  });
  return keeper;
}

/** What a root says of the nodes may be wrong: then the links stay as they are, and a person is told. */
function setPeers(keeper: LinkKeeper, peers: readonly ReachableNode[], logger: Logger): void {
  try {
    keeper.setPeers(peers.map(({ identity, fingerprint, host, port }) => ({ id: identity, fingerprint, host, port })));
  } catch (error) {
    logger.error('the nodes of the trust root cannot be linked with', { error });
  }
}

/** Gives the node each stream of the discovery namespace; others are refused by ending them. */
function serveClient(node: DiscoveryNode, connection: PspConnection): void {
  const from = sourceOf(connection.peer.address);
  connection.onStream((stream) => {
    if (stream.namespace === StreamNamespace.discovery) node.attachClient(from, stream);
    else stream.close();
  });
}

/** An address for the rate limits, with the prefix that one customer of a provider usually has. */
export function sourceOf(address: string): ClientSource {
  const v4 = /^(?:::ffff:)?(\d+\.\d+\.\d+)\.\d+$/.exec(address);
  if (v4 !== null) return { source: address, prefix: `${v4[1]}.0/24` };
  if (!isIPv6(address)) return { source: address };
  const [head = '', tail] = address.split('::');
  const groups = head.split(':').filter((group) => group !== '');
  // What `::` stands for are zeros; only the first three groups matter for a /48.
  const filled = tail === undefined ? groups : [...groups, '0', '0', '0'];
  return { source: address, prefix: `${filled.slice(0, 3).join(':')}::/48` };
}

function statesOf({ rootService }: DiscoveryNode, keeper: LinkKeeper, clock: Clock): readonly LinkReport[] {
  return keeper.peers().map((peer) => {
    const state = keeper.state(peer);
    const member = rootService.peers.find(({ identity }) => identity === peer);
    const address = member === undefined ? '' : `${member.host}:${member.port}`;
    if (state?.status !== 'backoff') return { peer, address, state: state?.status ?? 'unknown' };
    const waitMs = Math.max(0, Math.round(state.until - clock.now()));
    return { peer, address, state: `backoff for ${waitMs} ms: ${state.lastError ?? 'it closed the link'}` };
  });
}

/** The numbers of nested objects whose names are wanted, under names such as `listener.refused.LINK_TIMEOUT`. */
function flat(value: object, wanted: (name: string) => boolean, prefix = ''): Record<string, number> {
  const numbers: Record<string, number> = {};
  for (const [name, of] of Object.entries(value) as [string, unknown][]) {
    if (typeof of === 'number' && wanted(name)) numbers[prefix + name] = of;
    else if (typeof of === 'object' && of !== null) Object.assign(numbers, flat(of, wanted, `${prefix}${name}.`));
  }
  return numbers;
}
