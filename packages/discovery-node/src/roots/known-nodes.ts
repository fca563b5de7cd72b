import type { Member, Roster } from '@discovery-raft/discovery-consensus-fsm';
import type { ChainedRoot, NodeEndpoint, TrustRootChain } from '@discovery-raft/psp-envelope';

/** A discovery node and how to reach it; without an address, only who it is. */
export interface KnownNode extends Member {
  readonly host?: string;
  readonly port?: number;
}

/** A node that can be dialled. */
export interface ReachableNode {
  readonly identity: string;
  readonly fingerprint: string;
  readonly host: string;
  readonly port: number;
}

/** The nodes of one root. The first root has identities alone; where those nodes are, the configuration says. */
export function nodesOfRoot({ document }: ChainedRoot, configured: readonly KnownNode[]): readonly KnownNode[] {
  return document.nodes.map(({ identity, endpoint }) =>
    endpoint === null
      ? (configured.find((node) => node.identity === identity) ?? { identity })
      : { identity, ...endpoint },
  );
}

/** A root as the consensus sees it. */
export function rosterOf(root: ChainedRoot, configured: readonly KnownNode[]): Roster {
  const { version, activation, authorities, threshold } = root.document;
  return {
    version,
    activation,
    members: nodesOfRoot(root, configured).map(({ identity, fingerprint }) => ({
      identity,
      ...(fingerprint === undefined ? {} : { fingerprint }),
    })),
    authorities: `${threshold} of ${authorities.join()}`,
  };
}

/**
 * The nodes to be linked with: those of the root in force and of roots to come, and whoever is still a Raft server, which
 * must hear of its removal. Where two roots say different things of a node, the one in force counts, then the next to come.
 *
 * @param servers identities of Raft's servers
 */
export function nodesToLink(
  chain: TrustRootChain,
  unixSeconds: number,
  servers: readonly string[],
  configured: readonly KnownNode[],
): readonly ReachableNode[] {
  const { roots } = chain;
  const present = roots.indexOf(chain.at(unixSeconds));
  const past = roots.slice(0, present).reverse();
  const wanted = new Set(servers);
  for (const { document } of roots.slice(present)) for (const { identity } of document.nodes) wanted.add(identity);
  const linked = new Map<string, ReachableNode>();
  const fingerprints = new Set<string>();
  for (const root of [...roots.slice(present), ...past]) {
    for (const node of nodesOfRoot(root, configured)) {
      const { identity } = node;
      const endpoint = endpointOf(node);
      if (endpoint === null || !wanted.has(identity) || linked.has(identity)) continue;
      // An identity that takes another's place keeps its link: the old one has it until it is gone.
      if (fingerprints.has(endpoint.fingerprint)) continue;
      fingerprints.add(endpoint.fingerprint);
      linked.set(identity, { identity, ...endpoint });
    }
  }
  return [...linked.values()];
}

function endpointOf({ fingerprint, host, port }: KnownNode): NodeEndpoint | null {
  return fingerprint === undefined || host === undefined || port === undefined ? null : { fingerprint, host, port };
}
