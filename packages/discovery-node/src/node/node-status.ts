import type {
  ConsensusCounters,
  DiscoveryConsensus,
  StateAt,
  StateName,
  StoredDirectory,
} from '@discovery-raft/discovery-consensus-fsm';
import type { TrustRootChain } from '@discovery-raft/psp-envelope';
import type { RaftState } from '@discovery-raft/raft-core';
import type { ListView } from '@discovery-raft/raft-log-list';
import type { ChannelCounters } from '@discovery-raft/psp-link';
import type { SignatureVerdict } from './packet-signatures.js';
import type { PacketRefusal } from './raft-bridge.js';
import type { SignaturePolicy } from './signature-policy.js';

/** The shared list in numbers. */
export interface ListSummary {
  /** Log index up to which it was applied. */
  readonly index: number;
  /** Live records; an identity may have several. */
  readonly records: number;
  /** Identities with an unexpired record that has enough attestations: what a listing of this moment would hold. */
  readonly listable: number;
  /** Unexpired records that lack attestations. */
  readonly pending: number;
  /** Bytes of the live records. */
  readonly liveBytes: number;
}

/** The directory that a node serves, in numbers. */
export interface DirectorySummary {
  /** Its slot. */
  readonly round: number;
  /** Unix seconds. */
  readonly creation: number;
  /** Unix seconds. */
  readonly expiration: number;
  readonly items: number;
  readonly signatures: number;
  /** SHA-256 of the listing, lower-case hex. */
  readonly digest: string;
}

/** The trust roots that a node knows, in numbers. */
export interface RootsSummary {
  /** Version of the root in force at this moment. */
  readonly inForce: number;
  /** Nodes of it. */
  readonly nodes: number;
  /** The newest version; it may come into force later. */
  readonly newest: number;
  /** From when on the newest is in force, Unix seconds. */
  readonly newestActivation: number;
  /** Version of the root that this node signed last; null for none. */
  readonly signed: number | null;
}

/** The trust roots in numbers. */
export function summariseRoots(
  { chain }: { readonly chain: TrustRootChain },
  consensus: Pick<DiscoveryConsensus, 'rootPromise'>,
  unixSeconds: number,
): RootsSummary {
  const inForce = chain.at(unixSeconds).document;
  const newest = chain.newest.document;
  return {
    inForce: inForce.version,
    nodes: inForce.nodes.length,
    newest: newest.version,
    newestActivation: newest.activation,
    signed: consensus.rootPromise?.version ?? null,
  };
}

/** The whole state of a node at a freeze marker; equal on all nodes that hold the same. */
export interface StateSummary {
  readonly round: number;
  /** Log index of the marker. */
  readonly index: number;
  /** Lower-case hex of 32 bytes. */
  readonly digest: string;
}

/** What a node says of another one. */
export interface PeerStatus {
  readonly identity: string;
  /** Whether an authenticated link to it stands. */
  readonly linked: boolean;
  /**
   * What was made of the signature of its last Raft packet: `good`, `outsideDates`, `none`, or why it was refused; null when
   * none has come since this node started, and where signatures are off.
   */
  readonly packetSignature: SignatureVerdict | null;
}

/** What a node says of itself: plain data. */
export interface NodeStatus {
  readonly identity: string;
  /** Unix seconds by the node's wall clock. */
  readonly now: number;
  readonly raft: {
    readonly state: RaftState;
    readonly term: number;
    readonly leaderId: string | null;
    readonly lastIndex: number;
    readonly commitIndex: number;
    readonly appliedIndex: number;
    /** Whether this node signs its packets, and takes unsigned ones. */
    readonly signatures: SignaturePolicy;
  };
  readonly consensus: {
    readonly state: StateName;
    /** Signatures that make a directory. */
    readonly quorum: number;
    readonly counters: ConsensusCounters;
  };
  readonly roots: RootsSummary;
  readonly list: ListSummary;
  /** At the last freeze marker; null before the first. */
  readonly state: StateSummary | null;
  /** That of a round; null while there is none, when the node serves its own list with its own signature. */
  readonly directory: DirectorySummary | null;
  /** The other members. */
  readonly peers: readonly PeerStatus[];
  readonly clients: number;
  readonly traffic: ChannelCounters;
  /** Raft packets of peers that were dropped, by reason. */
  readonly droppedPackets: Readonly<Record<PacketRefusal, number>>;
}

/**
 * Counts a view of the list at a moment. Takes time in proportion to the list.
 *
 * @param nowSeconds Unix seconds
 * @param attestationsNeeded for an entry to be listed
 */
export function summariseList(
  view: ListView,
  liveBytes: number,
  nowSeconds: number,
  attestationsNeeded: number,
): ListSummary {
  let records = 0;
  let listable = 0;
  let pending = 0;
  let counted = '';
  for (const record of view.entries()) {
    records++;
    if (record.expiration <= nowSeconds) continue;
    if (record.holding(nowSeconds) < attestationsNeeded) pending++;
    else if (record.identity !== counted) {
      // The view goes by identity, so an identity's records follow one another.
      counted = record.identity;
      listable++;
    }
  }
  return { index: view.index, records, listable, pending, liveBytes };
}

/** A state as text. */
export function summariseState(state: StateAt | null): StateSummary | null {
  return state === null ? null : { ...state, digest: Buffer.from(state.digest).toString('hex') };
}

/** The served directory in numbers. */
export function summariseDirectory(served: StoredDirectory | null): DirectorySummary | null {
  if (served === null) return null;
  const { round, creation, expiration, items, digest, directory } = served;
  const signatures = directory.signatures.length;
  return { round, creation, expiration, items, signatures, digest: Buffer.from(digest).toString('hex') };
}
