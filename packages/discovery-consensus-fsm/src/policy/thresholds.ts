import { directoryQuorum, toleratedLiars } from '@discovery-raft/psp-envelope';

export { toleratedLiars };

/** Name of a threshold policy. */
export type PolicyName = 'safe' | 'documented';

/** The thresholds of a policy as data. Source: DISCOVERY.md section 3. */
export interface Policy {
  readonly name: PolicyName;
  /** An entry is valid with countable attestations from at least this share of the known nodes; above 0, at most 1. */
  readonly entryShare: number;
  /** What goes into the listing: only valid entries, or everything that can be decoded and has not expired. */
  readonly listed: 'validEntries' | 'allEntries';
  /** The share that `shareOf` must reach for a YES; 0 to 1. */
  readonly voteShare: number;
  /** Of what `voteShare` is taken: the frozen entries that are valid, or this node's own attested entries listed. */
  readonly shareOf: 'validEntries' | 'ownEntriesListed';
  /** How many signatures make a directory. */
  readonly quorum: 'half' | 'byzantine';
}

/** The two policies. `documented` is what deployed nodes do; it has the holes that `safe` closes. */
export const POLICIES: Readonly<Record<PolicyName, Policy>> = {
  safe: {
    name: 'safe',
    entryShare: 0.5,
    listed: 'validEntries',
    voteShare: 0.75,
    shareOf: 'ownEntriesListed',
    quorum: 'byzantine',
  },
  documented: {
    name: 'documented',
    entryShare: 0.5,
    listed: 'allEntries',
    voteShare: 0.75,
    shareOf: 'validEntries',
    quorum: 'half',
  },
};

/** Signatures that make a directory of a network of so many nodes. See `directoryQuorum` of psp-envelope. */
export function consensusQuorum(policy: Policy, nodes: number): number {
  return directoryQuorum(nodes, policy.quorum === 'half' ? 'documented' : 'safe');
}

/** Countable attestations that make an entry valid. */
export function attestationsNeeded(policy: Policy, nodes: number): number {
  return Math.max(1, ceilShare(policy.entryShare, nodes));
}

/** Whether `part` of `whole` reaches `share`; of nothing, everything reaches it. */
export function reachesShare(part: number, whole: number, share: number): boolean {
  return part >= ceilShare(share, whole);
}

/** Rounds up, forgiving what floating point adds to a whole number. */
function ceilShare(share: number, whole: number): number {
  return Math.ceil(share * whole - 1e-9);
}
