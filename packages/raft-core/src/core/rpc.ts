import type { Configuration, LogEntry, LogIndex, ServerAddress, ServerId, Term } from './types.js';

/** Version of the RPCs; the number of hashicorp/raft's current protocol. */
export const PROTOCOL_VERSION = 3;

/** Who sends a request or a response. */
export interface RpcHeader {
  readonly protocolVersion: number;
  readonly id: ServerId;
  readonly address: ServerAddress;
}

interface Rpc<K extends string> {
  readonly kind: K;
  readonly header: RpcHeader;
}

/** Raft paper, figure 2. Without entries it is a heartbeat. */
export interface AppendEntriesRequest extends Rpc<'appendEntries'> {
  readonly term: Term;
  readonly prevLogIndex: LogIndex;
  readonly prevLogTerm: Term;
  /** Consecutive, from `prevLogIndex` + 1. */
  readonly entries: readonly LogEntry[];
  readonly leaderCommitIndex: LogIndex;
  /** Highest index of an entry that superseded a redacted one; a follower that has not applied it is behind. */
  readonly redactedThrough: LogIndex;
}

/** Answer to {@link AppendEntriesRequest}. */
export interface AppendEntriesResponse extends Rpc<'appendEntriesResponse'> {
  readonly term: Term;
  /** Last index of the follower's log. */
  readonly lastLog: LogIndex;
  readonly success: boolean;
  /** hashicorp/raft: the leader may retry at once. */
  readonly noRetryBackoff: boolean;
  /** On success: the last index that this request proved equal to the leader's. */
  readonly matchIndex: LogIndex;
  /** On a mismatch: the term of the follower's entry at `prevLogIndex`, 0 when it has none. */
  readonly conflictTerm: Term;
  /** On a mismatch: the first index of `conflictTerm`, or one past the follower's last entry. */
  readonly conflictIndex: LogIndex;
}

/** Raft paper, figure 2. */
export interface RequestVoteRequest extends Rpc<'requestVote'> {
  readonly term: Term;
  readonly lastLogIndex: LogIndex;
  readonly lastLogTerm: Term;
  /** The leader itself asked the candidate to campaign, so voters must not shield the leader. */
  readonly leadershipTransfer: boolean;
}

/** Answer to {@link RequestVoteRequest}. */
export interface RequestVoteResponse extends Rpc<'requestVoteResponse'> {
  readonly term: Term;
  readonly granted: boolean;
}

/** Raft thesis, section 9.6. `term` is the term that the sender would campaign in. */
export interface RequestPreVoteRequest extends Rpc<'requestPreVote'> {
  readonly term: Term;
  readonly lastLogIndex: LogIndex;
  readonly lastLogTerm: Term;
}

/** Answer to {@link RequestPreVoteRequest}; `term` is the responder's own. */
export interface RequestPreVoteResponse extends Rpc<'requestPreVoteResponse'> {
  readonly term: Term;
  readonly granted: boolean;
}

/** Raft paper, figure 13: one chunk of a snapshot. */
export interface InstallSnapshotRequest extends Rpc<'installSnapshot'> {
  /** Version of the snapshot's format. */
  readonly version: number;
  readonly term: Term;
  readonly lastLogIndex: LogIndex;
  readonly lastLogTerm: Term;
  readonly configuration: Configuration;
  readonly configurationIndex: LogIndex;
  /** Bytes of the whole snapshot. */
  readonly size: number;
  /** Where `chunk` begins. */
  readonly offset: number;
  readonly chunk: Uint8Array;
  /** CRC-32 (IEEE) of `chunk`. */
  readonly crc: number;
  /** Whether `chunk` is the last one. */
  readonly done: boolean;
}

/** Answer to {@link InstallSnapshotRequest}. */
export interface InstallSnapshotResponse extends Rpc<'installSnapshotResponse'> {
  readonly term: Term;
  readonly success: boolean;
  /** The offset that the follower expects next; 0 asks to begin anew. */
  readonly nextOffset: number;
}

/** Raft thesis, section 3.10: campaign now. */
export interface TimeoutNowRequest extends Rpc<'timeoutNow'> {
  /** The sending leader's term. */
  readonly term: Term;
}

/** Answer to {@link TimeoutNowRequest}. */
export type TimeoutNowResponse = Rpc<'timeoutNowResponse'>;

/** Ours: a follower asks the leader for an index to read at. */
export interface ReadIndexRequest extends Rpc<'readIndex'> {
  /** The sender's term. */
  readonly term: Term;
}

/** Answer to {@link ReadIndexRequest}: leadership was confirmed after the request came. */
export interface ReadIndexResponse extends Rpc<'readIndexResponse'> {
  readonly term: Term;
  /** A read of a state machine that has applied this is linearizable. */
  readonly index: LogIndex;
}

/** Any request, told apart by `kind`. */
export type RpcRequest =
  | AppendEntriesRequest
  | RequestVoteRequest
  | RequestPreVoteRequest
  | InstallSnapshotRequest
  | TimeoutNowRequest
  | ReadIndexRequest;

/** Any response, told apart by `kind`. */
export type RpcResponse =
  | AppendEntriesResponse
  | RequestVoteResponse
  | RequestPreVoteResponse
  | InstallSnapshotResponse
  | TimeoutNowResponse
  | ReadIndexResponse;

/** The response that belongs to a kind of request. */
export interface ResponseOf {
  readonly appendEntries: AppendEntriesResponse;
  readonly requestVote: RequestVoteResponse;
  readonly requestPreVote: RequestPreVoteResponse;
  readonly installSnapshot: InstallSnapshotResponse;
  readonly timeoutNow: TimeoutNowResponse;
  readonly readIndex: ReadIndexResponse;
}
