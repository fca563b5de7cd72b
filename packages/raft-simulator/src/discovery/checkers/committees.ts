import type { PolicyName, Roster } from '@discovery-raft/discovery-consensus-fsm';
import { attestationsOf, quorumOf } from './quorum.js';

/** The nodes of one trust root, and how many of them it takes. */
export interface CheckedCommittee {
  readonly version: number;
  /** Unix seconds. */
  readonly activation: number;
  readonly members: ReadonlySet<string>;
  readonly quorum: number;
  readonly attestations: number;
}

/** Who decides what, worked out anew from the trust roots (ADR 0016). */
export class CheckedCommittees {
  readonly all: readonly CheckedCommittee[];

  /** @param rosters the first root, and the one that comes after it if one does */
  constructor(rosters: readonly Roster[], policy: PolicyName) {
    this.all = rosters.map(({ version, activation, members }) => ({
      ...{ version, activation, members: new Set(members.map(({ identity }) => identity)) },
      ...{ quorum: quorumOf(members.length, policy), attestations: attestationsOf(members.length) },
    }));
  }

  /** That of a listing that says that this root decided it; undefined for a root that there is not. */
  of(version: number): CheckedCommittee | undefined {
    return this.all.find((committee) => committee.version === version);
  }

  /** Whether so many of its nodes have signed; signatures of others count for nothing. */
  isComplete(version: number, signers: ReadonlySet<string>): boolean {
    const committee = this.of(version);
    if (committee === undefined) return false;
    let count = 0;
    for (const signer of signers) if (committee.members.has(signer)) count++;
    return count >= committee.quorum;
  }
}
