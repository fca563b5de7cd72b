import { connectOverTls, NodeClient } from '@discovery-raft/discovery-client';
import { MAX_ROOTS_PER_MESSAGE } from '@discovery-raft/psp-envelope';
import type { Clock, Logger } from '@discovery-raft/raft-core';
import { NodeError } from '../errors.js';
import type { RootKeeper } from '../roots/root-keeper.js';

/** How long one node has to answer. */
const ANSWER_TIMEOUT_MS = 5_000;

/** What {@link learnRoots} takes. */
export interface LearnRootsOptions {
  readonly keeper: RootKeeper;
  /** This node. */
  readonly identity: string;
  /** Whom to ask, as a client: nothing of what they say is trusted. */
  readonly peers: readonly { readonly host: string; readonly port: number }[];
  /** Version of the discovery protocol. */
  readonly protocolVersion: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Sees to it that a root is known that names this node, asking others when none is.
 *
 * @throws NodeError NODE_NOT_NAMED, which says what to do
 */
export async function learnRoots(options: LearnRootsOptions): Promise<void> {
  const { keeper, identity, peers, logger } = options;
  for (const peer of peers) {
    if (isNamed(keeper, identity)) return;
    try {
      await askOne(options, peer);
    } catch (error) {
      logger.warn('a node could not be asked for trust roots', { ...peer, error });
    }
  }
  if (isNamed(keeper, identity)) return;
  const { version } = keeper.chain.newest.document;
  const advice =
    peers.length === 0
      ? 'it is none of the network, or not any more'
      : 'have it added with `discovery-node root propose --add`, signed and published, then start it again';
  throw new NodeError('NODE_NOT_NAMED', `trust root ${version} does not name this node, ${identity}: ${advice}`, {
    identity,
    version,
  });
}

/** A node that was removed stays named by older roots; what counts is the newest. */
function isNamed(keeper: RootKeeper, identity: string): boolean {
  return keeper.chain.newest.document.nodes.some((node) => node.identity === identity);
}

async function askOne(options: LearnRootsOptions, peer: LearnRootsOptions['peers'][number]): Promise<void> {
  const { keeper, protocolVersion: version, clock, logger } = options;
  const connect = connectOverTls({ clock, logger });
  const connection = await connect(peer, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  try {
    const client = new NodeClient(connection.channel, { version, clock, timeoutMs: ANSWER_TIMEOUT_MS });
    for (;;) {
      const roots = await client.pullTrustRoots(keeper.chain.newest.document.version);
      const { taken } = await keeper.offer(roots, `${peer.host}:${peer.port}`);
      if (taken < MAX_ROOTS_PER_MESSAGE) return;
    }
  } finally {
    connection.close();
  }
}
