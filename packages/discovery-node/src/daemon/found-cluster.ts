import type { Logger } from '@discovery-raft/raft-core';
import type { NodeConfig } from '../config/schema.js';
import type { DiscoveryNode } from '../node/discovery-node.js';
import { clearBootstrapMark, isMarkedForBootstrap } from './bootstrap-mark.js';

/** What decides whether a start founds a cluster. */
export interface FoundingFacts {
  readonly node: Pick<DiscoveryNode, 'bootstrap'>;
  readonly config: Pick<NodeConfig, 'members' | 'consensus'>;
  readonly dataFolder: string;
  /** Whether the stores held anything of a cluster before this start. */
  readonly hadState: boolean;
  /** Even without the mark of `init`. */
  readonly anyway: boolean;
  readonly logger: Logger;
}

/**
 * Founds a cluster of all members where that is to be done, once in the life of a data directory. Each member does the
 * same on its own; since all write the same first entry, they are one cluster.
 */
export async function foundCluster(facts: FoundingFacts): Promise<void> {
  const { node, dataFolder, hadState, anyway, logger } = facts;
  const { members, consensus } = facts.config;
  const marked = await isMarkedForBootstrap(dataFolder);
  if (hadState) {
    if (anyway) logger.info('it belongs to a cluster already, and founds none');
  } else if (anyway || (marked && (members.length > 1 || consensus.standalone))) {
    await node.bootstrap();
    logger.info('it founded a cluster, as all its members do', { members: members.length });
  } else if (marked) {
    logger.warn('it would be alone in its cluster: add members, or say so with consensus.standalone or --bootstrap');
    return;
  } else {
    logger.info('it belongs to no cluster yet, and waits for a leader that adds it');
  }
  if (marked) await clearBootstrapMark(dataFolder);
}
