import type { StateName } from './machine/states.js';
import type { AlarmCode, LeaderFault, PublishCode, RefusalCode } from './refusals.js';
import type { StoredDirectory } from './ports.js';
import type { StateDivergence } from './runtime/state-watch.js';

/** What a `DiscoveryConsensus` tells, after the fact. A listener that throws harms nobody else. */
export interface ConsensusEvents {
  stateChanged: (change: { readonly from: StateName; readonly to: StateName; readonly round: number | null }) => void;
  /** This node, leading, asked for votes. */
  votingStarted: (round: { readonly round: number; readonly items: number; readonly frozenIndex: number }) => void;
  /** A round ended here. `reason` says why no directory came of it. */
  roundEnded: (round: {
    readonly round: number;
    readonly published: boolean;
    readonly signatures: number;
    readonly items: number;
    readonly reason: string;
  }) => void;
  /** A directory went public here: of a round, or one that was fetched. */
  directoryPublished: (directory: StoredDirectory) => void;
  /** Another trust root is in force, and with it other nodes decide. */
  committeeChanged: (committee: {
    readonly version: number;
    readonly members: number;
    readonly quorum: number;
  }) => void;
  /** A vote came in at the leader. */
  voteReceived: (vote: {
    readonly round: number;
    readonly from: string;
    readonly verdict: string;
    readonly reason: string;
  }) => void;
  /** A member's message was not heeded. */
  messageRefused: (refusal: { readonly from: string; readonly code: RefusalCode; readonly detail: string }) => void;
  /** Raft names a leader that this node does not follow; told once for each leader, term and reason. */
  leaderRefused: (refusal: { readonly leaderId: string; readonly term: number; readonly reason: LeaderFault }) => void;
  publishRefused: (refusal: { readonly source: string; readonly code: PublishCode; readonly detail: string }) => void;
  /** The wall clock was set while the node ran: by so many seconds, negative when it was set back. */
  clockSet: (change: { readonly bySeconds: number }) => void;
  /** This node's state is not what the others have. It has stopped, and must not go on; the data is as it was. */
  stateDiverged: (divergence: StateDivergence) => void;
  alarmRaised: (alarm: { readonly code: AlarmCode; readonly detail: string }) => void;
}
