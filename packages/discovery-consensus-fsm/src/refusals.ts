import { PUBLISH_CODES, type PublishCode } from '@discovery-raft/psp-envelope';

export { PUBLISH_CODES, type PublishCode };

/** What became of a publish. */
export interface PublishOutcome {
  readonly code: PublishCode;
  /** For people: the verifier's code or the field that is wrong; never longer than 200 characters. */
  readonly detail: string;
}

/** Why a member's message was not heeded. A refusal is an expected outcome: returned and counted, never thrown. */
export const REFUSAL_CODES = [
  'notRunning',
  'unknownPeer',
  'notLeading',
  'senderIsNotLeader',
  'leaderNotVerified',
  'unsupportedVersion',
  'malformed',
  'tooLarge',
  'tooMany',
  'staleRound',
  'wrongRound',
  'lateVote',
  'duplicateVote',
  'equivocation',
  'badSignature',
  'wrongSigner',
  'packetRefused',
  'digestMismatch',
  'quorumMissing',
  'staleDirectory',
  'overloaded',
  'noRaft',
  'internal',
] as const;

/**
 * Why a node does not follow the leader that Raft names: it is no member of the trust root in force, or no authenticated
 * link to it stands. Meanwhile the node casts no vote and forwards nothing.
 */
export type LeaderFault = 'notMember' | 'notAuthenticated';

/** One of {@link REFUSAL_CODES}. */
export type RefusalCode = (typeof REFUSAL_CODES)[number];

/** What a handler of a member's message gives. */
export type Handled =
  { readonly ok: true } | { readonly ok: false; readonly code: RefusalCode; readonly detail: string };

/** The answer of a handler that heeded the message. */
export const HEEDED: Handled = Object.freeze({ ok: true });

/** Something that a person should look at. */
export const ALARM_CODES = [
  /** The leader asked for two different listings in one round, or froze one round twice. */
  'leaderEquivocated',
  /** The leader's listing lacks too many entries that this node attested. */
  'entriesOmitted',
  /** A quorum signed bytes that this node did not build. */
  'listingDiffers',
  /** Another member's state is not this node's, at one log index; both digests are in the detail. */
  'stateDiffers',
  /** Enough of them say so, and this node has stopped. */
  'stateDiverged',
  /** A leader's round is for another time than it is here: one of the two clocks is wrong. */
  'clockSkew',
  /** The directory store failed. */
  'storeFailed',
  /** The signer failed. */
  'signerFailed',
  /** A listener or port broke its contract. */
  'internal',
] as const;

/** One of {@link ALARM_CODES}. */
export type AlarmCode = (typeof ALARM_CODES)[number];

/** Counts since the node was made. Plain data: a copy, safe to keep or to encode. */
export interface ConsensusCounters {
  readonly publishes: Readonly<Record<PublishCode, number>>;
  readonly refusals: Readonly<Record<RefusalCode, number>>;
  readonly alarms: Readonly<Record<AlarmCode, number>>;
  /** Rounds that this node entered as leader or voter. */
  readonly roundsEntered: number;
  /** Directories published here. */
  readonly directoriesPublished: number;
  readonly votesYes: number;
  readonly votesNo: number;
  readonly votesNotReady: number;
  /** Messages sent, and sends that failed. */
  readonly sent: number;
  readonly sendFailures: number;
  /** Accepted packets on their way into the shared list now. */
  readonly pendingForwards: number;
  readonly pendingForwardBytes: number;
  /** Records of the shared list that were not looked at yet; what has to be verified of them is not known. */
  readonly pendingRecords: number;
  /** Verifications under way or waiting now. */
  readonly pendingVerifications: number;
}
