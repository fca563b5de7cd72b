import {
  nextTrustRoot,
  type ChainedRoot,
  type NodeEndpoint,
  type RootNode,
  type TrustRootDocument,
} from '@discovery-raft/psp-envelope';
import { NodeError } from '../errors.js';
import type { ReachableNode } from './known-nodes.js';

/** What somebody wants to be different in the next root. */
export interface ProposedChange {
  readonly add: readonly ReachableNode[];
  /** Identities. */
  readonly remove: readonly string[];
  /** New fingerprints, by identity. */
  readonly rotate: ReadonlyMap<string, string>;
  /** New addresses, by identity. */
  readonly move: ReadonlyMap<string, { readonly host: string; readonly port: number }>;
  readonly addAuthorities: readonly string[];
  readonly removeAuthorities: readonly string[];
  readonly threshold?: number;
  /** Unix seconds, the begin of a slot. */
  readonly activation: number;
}

/**
 * The root that follows, with these changes, not signed yet.
 *
 * @param nodes those of the newest root, and where they are; null where nobody says
 * @throws NodeError NODE_INVALID_OPTION for a change that cannot be made; EnvelopeError for a root that cannot be
 */
export function proposeRoot(
  newest: ChainedRoot,
  nodes: readonly { readonly identity: string; readonly endpoint: NodeEndpoint | null }[],
  change: ProposedChange,
): TrustRootDocument {
  const known = new Set(nodes.map(({ identity }) => identity));
  for (const identity of [...change.remove, ...change.rotate.keys(), ...change.move.keys()]) {
    if (!known.has(identity)) invalid(`${identity} is no node of trust root ${newest.document.version}`);
  }
  for (const { identity } of change.add) if (known.has(identity)) invalid(`${identity} is a node already`);
  const kept = nodes.filter(({ identity }) => !change.remove.includes(identity)).map((node) => changed(node, change));
  const added = change.add.map(({ identity, ...endpoint }): RootNode => ({ identity, endpoint }));
  const authorities = newest.document.authorities.filter((identity) => !change.removeAuthorities.includes(identity));
  return nextTrustRoot(newest.document, newest.digest, {
    activation: change.activation,
    nodes: [...kept, ...added],
    authorities: [...authorities, ...change.addAuthorities],
    ...(change.threshold === undefined ? {} : { threshold: change.threshold }),
  });
}

function changed(
  { identity, endpoint }: { readonly identity: string; readonly endpoint: NodeEndpoint | null },
  { rotate, move }: ProposedChange,
): RootNode {
  const fingerprint = rotate.get(identity);
  const place = move.get(identity);
  if (endpoint === null) return invalid(`nobody says where ${identity} is: name it in members of the configuration`);
  return { identity, endpoint: { ...endpoint, ...(fingerprint === undefined ? {} : { fingerprint }), ...place } };
}

/** The begin of a slot, at `unixSeconds` or the next one after it. */
export function slotBegin(
  { genesisSeconds, slotSeconds }: { readonly genesisSeconds: number; readonly slotSeconds: number },
  unixSeconds: number,
): number {
  return genesisSeconds + Math.ceil((unixSeconds - genesisSeconds) / slotSeconds) * slotSeconds;
}

function invalid(why: string): never {
  throw new NodeError('NODE_INVALID_OPTION', why, {});
}
