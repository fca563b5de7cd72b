import type { PolicyName } from '@discovery-raft/discovery-consensus-fsm';

/** Signatures that make a directory, worked out anew from DISCOVERY.md section 3. */
export function quorumOf(size: number, policy: PolicyName): number {
  if (policy === 'documented') return Math.ceil(size / 2);
  let liars = 0;
  while (3 * (liars + 1) + 1 <= size) liars++;
  // More than half of the honest, and all the liars: then any two quorums have an honest node in common.
  let quorum = 1;
  while (2 * quorum - size <= liars) quorum++;
  return quorum;
}

/** Attestations that make an entry valid: half of the members, rounded up. */
export function attestationsOf(size: number): number {
  return Math.ceil(size / 2);
}
