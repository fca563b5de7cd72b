import type { Policy } from './thresholds.js';
import { reachesShare } from './thresholds.js';

/** What is known of one record of a frozen list, judged at the creation time of the round. */
export interface JudgedEntry {
  readonly identity: string;
  /** Unix seconds. */
  readonly expiration: number;
  /** The item as published; undefined when the packet could not be verified. To be read at once, and not to be kept. */
  readonly itemBytes: Uint8Array | undefined;
  /** Bytes of the item; undefined when there is none. */
  readonly itemLength: number | undefined;
  /** Distinct members whose signature over the packet is verified and unexpired. */
  readonly attestations: number;
}

/** Whether an entry counts: authentic, unexpired at `creation`, attested by enough members. */
export function entryValid(entry: JudgedEntry, creation: number, attestationsNeeded: number): boolean {
  return entry.itemLength !== undefined && entry.expiration > creation && entry.attestations >= attestationsNeeded;
}

/** Why a voter says NO. */
export type NoReason =
  | 'unsupportedVersion'
  | 'wrongRound'
  | 'wrongTimes'
  | 'clockSkew'
  | 'staleRound'
  | 'stateDiffers'
  | 'leaderNotVerified'
  | 'alreadySigned'
  | 'digestMismatch'
  | 'tooFewValidEntries'
  | 'ownEntriesMissing'
  | 'extensionsMissing'
  /** The leader decides by an older trust root than this node knows to be in force. */
  | 'rootOutdated'
  /** This node is none of the round's. */
  | 'notMember'
  /** This node has signed a newer trust root, and with it promised not to sign by this one any more. */
  | 'rootPromised'
  | 'storeFailed'
  | 'signerFailed';

/** Why a voter says NOT_READY. */
export type NotReadyReason =
  | 'frozenListMissing'
  | 'verdictsMissing'
  /** The leader decides by a trust root that is not here yet. */
  | 'rootMissing'
  /** The round ended here while the listing was built. */
  | 'roundDropped';

/** What a voter found when it built the listing itself. */
export interface VoteFacts {
  /** Its own digest equals the leader's. */
  readonly digestMatches: boolean;
  /** Identities in the frozen list with an unexpired record. */
  readonly entries: number;
  /** Of those, how many have a valid entry. */
  readonly validEntries: number;
  /** Unexpired entries that this node attested long enough ago. */
  readonly ownEntries: number;
  /** Of those, how many the listing holds, in that version or a newer one. */
  readonly ownEntriesListed: number;
}

/** A voter's decision about a listing; the checks of slot, times and clock come before. */
export function voteVerdict(
  policy: Policy,
  facts: VoteFacts,
): { readonly yes: true } | { readonly yes: false; readonly reason: NoReason } {
  if (!facts.digestMatches) return { yes: false, reason: 'digestMismatch' };
  if (policy.shareOf === 'validEntries') {
    return reachesShare(facts.validEntries, facts.entries, policy.voteShare)
      ? { yes: true }
      : { yes: false, reason: 'tooFewValidEntries' };
  }
  return reachesShare(facts.ownEntriesListed, facts.ownEntries, policy.voteShare)
    ? { yes: true }
    : { yes: false, reason: 'ownEntriesMissing' };
}
