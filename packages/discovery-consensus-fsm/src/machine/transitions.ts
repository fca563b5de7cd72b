import type { EffectType, MachineEventType, StateName } from './states.js';

/**
 * What must hold for a row to be taken.
 *
 * - `newRound`: the event's round is newer than every round that this node entered;
 * - `thisRound`: the event belongs to the round under way; anything else is a late echo;
 * - `thisLeader`: the event speaks of the present leader and term;
 * - `leadershipChanged`: the event names another leader or term than the present one.
 */
export type GuardName = 'newRound' | 'thisRound' | 'thisLeader' | 'leadershipChanged';

/** One row of the table. `any` stands for every state but Nil. */
export interface TransitionRow {
  readonly from: StateName | 'any';
  readonly event: MachineEventType;
  readonly guard?: GuardName;
  readonly to: StateName;
  /** In order. `dropRound` is left out when no round is under way, `stepDown` when this node does not lead. */
  readonly effects: readonly EffectType[];
  readonly why: string;
}

/**
 * The whole behaviour of the machine as data. A row of a named state goes before a row of `any`; an event without a row,
 * or whose guard does not hold, changes nothing. Source: DISCOVERY.md section 2.
 */
export const TRANSITIONS: readonly TransitionRow[] = [
  { from: 'Nil', event: 'start', to: 'Initializing', effects: ['recover'], why: 'the node starts' },

  // The global rules: they hold in every state but Nil.
  {
    from: 'any',
    event: 'shutdown',
    to: 'Nil',
    effects: ['dropRound', 'stepDown', 'holdPending', 'stop'],
    why: 'the node stops',
  },
  {
    from: 'any',
    event: 'leadershipWon',
    guard: 'leadershipChanged',
    to: 'LeaderRunning',
    effects: ['dropRound', 'stepDown', 'holdPending', 'takeOverList', 'fetchDirectory'],
    why: 'this node leads now; a round under way is dropped and the next slot starts afresh',
  },
  {
    from: 'any',
    event: 'leaderFound',
    guard: 'leadershipChanged',
    to: 'FollowerVerifyLeader',
    effects: ['dropRound', 'stepDown', 'holdPending', 'verifyLeader'],
    why: 'another node leads now, or leads in a new term',
  },
  {
    from: 'any',
    event: 'leaderLost',
    guard: 'leadershipChanged',
    to: 'Initializing',
    effects: ['dropRound', 'stepDown', 'holdPending'],
    why: 'no leader is known any more',
  },

  // The leader's way through a round.
  {
    from: 'LeaderRunning',
    event: 'roundDue',
    guard: 'newRound',
    to: 'LeaderConsensusCalc',
    effects: ['collectVotes'],
    why: 'a slot has begun',
  },
  {
    from: 'LeaderConsensusCalc',
    event: 'quorumReached',
    guard: 'thisRound',
    to: 'LeaderConsensusPublish',
    effects: ['publishDirectory'],
    why: 'enough members signed the same bytes',
  },
  {
    from: 'LeaderConsensusCalc',
    event: 'quorumMissed',
    guard: 'thisRound',
    to: 'LeaderCleanup',
    effects: ['cleanUp'],
    why: 'the deadline passed, or the quorum cannot be reached any more',
  },
  {
    from: 'LeaderConsensusPublish',
    event: 'directoryPublished',
    guard: 'thisRound',
    to: 'LeaderCleanup',
    effects: ['cleanUp'],
    why: 'the directory is out',
  },
  {
    from: 'LeaderCleanup',
    event: 'cleanedUp',
    guard: 'thisRound',
    to: 'LeaderEnhance',
    effects: ['enhance'],
    why: 'expired items are gone',
  },
  {
    from: 'LeaderEnhance',
    event: 'enhanced',
    guard: 'thisRound',
    to: 'LeaderRunning',
    effects: ['awaitSlot'],
    why: 'the others have been asked for what is missing',
  },

  // The follower's way through a round.
  {
    from: 'FollowerVerifyLeader',
    event: 'leaderVerified',
    guard: 'thisLeader',
    to: 'FollowerRunning',
    effects: ['forwardPending', 'fetchDirectory'],
    why: 'the leader may be followed',
  },
  {
    from: 'FollowerVerifyLeader',
    event: 'leaderRefused',
    guard: 'thisLeader',
    to: 'FollowerVerifyLeader',
    effects: ['retryVerifyLeader'],
    why: 'the leader may not be followed yet: no votes, no forwards',
  },
  {
    from: 'FollowerRunning',
    event: 'voteRequested',
    guard: 'newRound',
    to: 'FollowerConsensusVote',
    effects: ['castVote'],
    why: 'the leader asks for a vote',
  },
  {
    from: 'FollowerRunning',
    event: 'finalReceived',
    guard: 'newRound',
    to: 'FollowerVerifyFinalList',
    effects: ['verifyFinal'],
    why: 'the vote request got lost, but the frozen list is in the log and the result can be checked',
  },
  {
    from: 'FollowerConsensusVote',
    event: 'voteRequested',
    guard: 'newRound',
    to: 'FollowerConsensusVote',
    effects: ['dropRound', 'castVote'],
    why: 'the leader gave the old round up and has begun a newer one',
  },
  {
    from: 'FollowerConsensusVote',
    event: 'finalReceived',
    guard: 'thisRound',
    to: 'FollowerVerifyFinalList',
    effects: ['verifyFinal'],
    why: 'the result is here',
  },
  {
    from: 'FollowerConsensusVote',
    event: 'deadlinePassed',
    guard: 'thisRound',
    to: 'FollowerCleanup',
    effects: ['fetchDirectory', 'cleanUp'],
    why: 'no result in time',
  },
  {
    from: 'FollowerVerifyFinalList',
    event: 'finalVerified',
    guard: 'thisRound',
    to: 'FollowerPublishFinalList',
    effects: ['publishDirectory'],
    why: 'a quorum signed the bytes that this node built itself',
  },
  {
    from: 'FollowerVerifyFinalList',
    event: 'finalRefused',
    guard: 'thisRound',
    to: 'FollowerCleanup',
    effects: ['fetchDirectory', 'cleanUp'],
    why: 'the signatures are not over the bytes that this node built, or too few',
  },
  {
    from: 'FollowerVerifyFinalList',
    event: 'deadlinePassed',
    guard: 'thisRound',
    to: 'FollowerCleanup',
    effects: ['fetchDirectory', 'cleanUp'],
    why: 'the list of this round could not be built in time',
  },
  {
    from: 'FollowerPublishFinalList',
    event: 'directoryPublished',
    guard: 'thisRound',
    to: 'FollowerCleanup',
    effects: ['cleanUp'],
    why: 'the directory is out',
  },
  {
    from: 'FollowerCleanup',
    event: 'cleanedUp',
    guard: 'thisRound',
    to: 'FollowerRunning',
    effects: ['forwardPending'],
    why: 'the round is over',
  },
];
