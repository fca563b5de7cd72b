import type {
  Configuration,
  LogIndex,
  MonotonicMs,
  RaftState,
  Server,
  ServerAddress,
  ServerId,
  SnapshotMeta,
  Term,
} from './types.js';

/** What a node tells its observers: past-tense facts, told when its state has settled (hashicorp/raft's observations). */
export interface RaftEvents {
  /** This node's role changed. */
  stateChange: { readonly from: RaftState; readonly to: RaftState; readonly term: Term };
  /** This node learned of a leader, or that there is none known (null). */
  leaderChange: {
    readonly leaderId: ServerId | null;
    readonly leaderAddress: ServerAddress | null;
    readonly term: Term;
  };
  /** A server joined or changed, or left, the configuration. */
  peerChange: { readonly peer: Server; readonly removed: boolean };
  /** A candidate asked for this node's vote. */
  voteRequest: { readonly candidateId: ServerId; readonly term: Term; readonly granted: boolean };
  /** A candidate asked whether it could win. */
  preVoteRequest: { readonly candidateId: ServerId; readonly term: Term; readonly granted: boolean };
  /** This leader lost contact with a peer; told once until contact resumes. */
  heartbeatFailed: { readonly peerId: ServerId; readonly lastContact: MonotonicMs };
  /** This leader has contact with a peer again. */
  heartbeatResumed: { readonly peerId: ServerId };
  /** A configuration took effect: on append, or again after a truncation. */
  configurationChange: { readonly index: LogIndex; readonly configuration: Configuration };
  snapshotTaken: { readonly meta: SnapshotMeta };
  snapshotInstalled: { readonly meta: SnapshotMeta };
  /** Entries up to `index` are committed. */
  commit: { readonly index: LogIndex };
  /** The node stopped; `error` says why when nobody asked it to. */
  shutdown: { readonly error: Error | null };
}

/** One observation as data. */
export type Observation = {
  [K in keyof RaftEvents]: { readonly event: K; readonly payload: RaftEvents[K] };
}[keyof RaftEvents];
