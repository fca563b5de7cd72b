/**
 * The thirteen states of a discovery node and what each means. Source: DISCOVERY.md section 2.
 */
export const STATES = {
  Nil: 'before start and after shutdown',
  Initializing: 'no leader is known; collects publishes and serves what it has',
  LeaderRunning: 'adds to the list until a round is due',
  LeaderConsensusCalc: 'the list is frozen at an index, vote requests are out, votes are collected',
  LeaderConsensusPublish: 'sends the final signature set and publishes the directory here',
  LeaderCleanup: 'removes expired items and drops the state of the round',
  LeaderEnhance: 'asks for the attestations that packets lack',
  FollowerVerifyLeader: 'checks that the leader may be followed; no votes and no forwards until then',
  FollowerRunning: 'verifies, attests and forwards publishes; answers reads',
  FollowerConsensusVote: 'checks the frozen list, signs it or refuses with a reason, waits for the result',
  FollowerVerifyFinalList: 'verifies every signature of the final set against its own bytes',
  FollowerPublishFinalList: 'swaps the public directory in one step and stores it',
  FollowerCleanup: 'drops the state of the round',
} as const;

/** Name of one of the thirteen {@link STATES}. */
export type StateName = keyof typeof STATES;

/** All state names, in the order of DISCOVERY.md section 2. */
export const STATE_NAMES = Object.keys(STATES) as readonly StateName[];

/** The state of the machine: the named state and the few facts that its guards look at. Immutable. */
export interface MachineState {
  readonly name: StateName;
  /** Whom Raft names as leader; null while there is none. This node's own identity while it leads. */
  readonly leaderId: string | null;
  /** Raft term in which `leaderId` leads; 0 before the first. */
  readonly term: number;
  /** The round under way; null outside a round. */
  readonly round: number | null;
  /** The newest round that this node entered since it started; 0 for none. It enters no round twice. */
  readonly lastRound: number;
}

/** Where every machine begins. */
export const INITIAL_STATE: MachineState = Object.freeze({
  name: 'Nil',
  leaderId: null,
  term: 0,
  round: null,
  lastRound: 0,
});

/** Everything that can happen to the machine. `round` is a slot number from 1, `term` a Raft term. */
export type MachineEvent =
  | { readonly type: 'start' }
  | { readonly type: 'shutdown' }
  | { readonly type: 'leadershipWon'; readonly leaderId: string; readonly term: number }
  | { readonly type: 'leaderFound'; readonly leaderId: string; readonly term: number }
  | { readonly type: 'leaderLost'; readonly term: number }
  | { readonly type: 'leaderVerified'; readonly leaderId: string; readonly term: number }
  | { readonly type: 'leaderRefused'; readonly leaderId: string; readonly term: number }
  | { readonly type: 'roundDue'; readonly round: number }
  | { readonly type: 'quorumReached'; readonly round: number }
  | { readonly type: 'quorumMissed'; readonly round: number }
  | { readonly type: 'voteRequested'; readonly round: number }
  | { readonly type: 'finalReceived'; readonly round: number }
  | { readonly type: 'finalVerified'; readonly round: number }
  | { readonly type: 'finalRefused'; readonly round: number }
  | { readonly type: 'deadlinePassed'; readonly round: number }
  | { readonly type: 'directoryPublished'; readonly round: number }
  | { readonly type: 'cleanedUp'; readonly round: number }
  | { readonly type: 'enhanced'; readonly round: number };

/** Type of a {@link MachineEvent}. */
export type MachineEventType = MachineEvent['type'];

/**
 * What the runtime has to do after a transition.
 *
 * - `recover`: load what is stored, ask the others for their last directory;
 * - `takeOverList` / `stepDown`: begin / stop writing the shared list; once it is taken over, accepted packets go into it
 *   and the next slot is awaited;
 * - `verifyLeader`: judge the leader, answer with `leaderVerified` or `leaderRefused`;
 * - `retryVerifyLeader`: the same, a little later;
 * - `holdPending`: accepted packets wait until somebody leads;
 * - `forwardPending`: send the leader every accepted packet that is not in the list yet;
 * - `collectVotes`: freeze the list and ask for votes;
 * - `castVote`: answer the vote request of this round;
 * - `verifyFinal`: check the final signature set;
 * - `publishDirectory`: publish the directory (a leader also sends the final set);
 * - `fetchDirectory`: this node may have missed a result: unless it is here, ask the others for it;
 * - `dropRound`: forget the round under way; what still runs for it has no effect any more;
 * - `cleanUp`: drop the state of the round (a leader also removes what has expired);
 * - `enhance`: ask for missing attestations;
 * - `awaitSlot`: see when the next round is due;
 * - `stop`: cancel timers, settle what waits.
 */
export type EffectType =
  | 'recover'
  | 'takeOverList'
  | 'stepDown'
  | 'verifyLeader'
  | 'retryVerifyLeader'
  | 'holdPending'
  | 'forwardPending'
  | 'collectVotes'
  | 'castVote'
  | 'verifyFinal'
  | 'publishDirectory'
  | 'fetchDirectory'
  | 'dropRound'
  | 'cleanUp'
  | 'enhance'
  | 'awaitSlot'
  | 'stop';

/** One thing to do, with the facts that it is about. */
export interface Effect {
  readonly type: EffectType;
  /** The round that the effect belongs to: for `dropRound` the dropped one; null outside a round. */
  readonly round: number | null;
  readonly leaderId: string | null;
  readonly term: number;
}
