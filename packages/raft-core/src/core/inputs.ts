import type { RaftConfig, ReadMode } from './options.js';
import type { MembershipRequest } from './membership.js';
import type { RpcRequest, RpcResponse } from './rpc.js';
import type { EntryType, LogEntry, LogIndex, ServerId, SnapshotMeta, Term } from './types.js';

/** Term and vote, as the stable store keeps them. */
export interface HardStateValue {
  readonly term: Term;
  readonly votedFor: ServerId | null;
}

/** Something to append. `id` is the runtime's, to find the caller again. */
export interface Proposal {
  readonly id: number;
  readonly type: EntryType;
  readonly data: Uint8Array;
  readonly extensions?: Uint8Array | undefined;
  /** On the first of a batch: how many, this one included, are appended together or not at all. Default 1. */
  readonly batchSize?: number | undefined;
}

/** Everything that can happen to the core. */
export type Input =
  /** Time has passed. */
  | { readonly type: 'tick' }
  | { readonly type: 'request'; readonly requestId: number; readonly request: RpcRequest }
  | { readonly type: 'response'; readonly rpcId: number; readonly peerId: ServerId; readonly response: RpcResponse }
  | { readonly type: 'rpcFailed'; readonly rpcId: number; readonly peerId: ServerId }
  | { readonly type: 'propose'; readonly proposals: readonly Proposal[]; readonly wallNowMs: number }
  | { readonly type: 'persisted'; readonly seq: number; readonly logEpoch: number; readonly lastIndex: LogIndex }
  /** A write failed: nothing that was not confirmed may count. */
  | { readonly type: 'persistFailed' }
  | { readonly type: 'applied'; readonly index: LogIndex }
  | {
      readonly type: 'logRead';
      readonly peerId: ServerId;
      readonly epoch: number;
      readonly entries: readonly LogEntry[];
    }
  | { readonly type: 'logReadFailed'; readonly peerId: ServerId; readonly epoch: number }
  /** A read is to be confirmed; `forward`: by the leader, if that is another. Default mode: quorum. */
  | { readonly type: 'read'; readonly id: number; readonly forward?: boolean; readonly mode?: ReadMode }
  /** A caller wants to change the membership. */
  | ({ readonly type: 'changeMembership' } & MembershipRequest)
  /** The configuration was reloaded. */
  | { readonly type: 'reconfigure'; readonly config: RaftConfig }
  /** Hand leadership over, within `timeoutMs`; default: within an election timeout. */
  | {
      readonly type: 'transfer';
      readonly id: number;
      readonly target: ServerId | null;
      readonly timeoutMs?: number;
    }
  /** The caller of a transfer does not want it any more. */
  | { readonly type: 'abortTransfer'; readonly id: number }
  /** The follower acknowledged a chunk of a snapshot that this leader sends it. */
  | {
      readonly type: 'snapshotProgress';
      readonly peerId: ServerId;
      readonly epoch: number;
      readonly response: RpcResponse;
    }
  | { readonly type: 'snapshotSent'; readonly peerId: ServerId; readonly epoch: number; readonly index: LogIndex }
  | { readonly type: 'snapshotSendFailed'; readonly peerId: ServerId; readonly epoch: number }
  /** A chunk that this follower received is stored. */
  | { readonly type: 'snapshotChunkStored'; readonly requestId: number; readonly nextOffset: number }
  /** The whole snapshot is stored and the state machine restored from it; `requestId` is null for a local restore. */
  | { readonly type: 'snapshotInstalled'; readonly requestId: number; readonly meta: SnapshotMeta }
  | { readonly type: 'snapshotRefused'; readonly requestId: number; readonly nextOffset: number }
  /** A user asks to replace the state of the cluster. */
  | { readonly type: 'beginRestore'; readonly id: number }
  | { readonly type: 'abandonRestore'; readonly id: number; readonly epoch: number }
  /** The state machine is restored from `meta`, which lies above the log. */
  | { readonly type: 'userRestored'; readonly leaderEpoch: number; readonly meta: SnapshotMeta }
  /** This node took a snapshot of its own; `tombstonesThrough` ends the run of tombstones that its trailing log begins with. */
  | { readonly type: 'snapshotTaken'; readonly meta: SnapshotMeta; readonly tombstonesThrough?: LogIndex }
  /** The state machine superseded entries; `through` is the highest entry that superseded one. */
  | { readonly type: 'redacted'; readonly tombstones: readonly LogEntry[]; readonly through: LogIndex };
