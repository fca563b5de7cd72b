import type { ProposalOutcome, RaftErrorCode, RaftErrorDetails } from './errors.js';
import type { Observation } from './observations.js';
import type { InstallSnapshotRequest, RpcRequest, RpcResponse } from './rpc.js';
import type { LogEntry, LogIndex, Server, ServerId, Term } from './types.js';
import type { HardStateValue } from './inputs.js';

/** One change of the stored log. */
export type LogWrite =
  | { readonly op: 'append'; readonly entries: readonly LogEntry[] }
  | { readonly op: 'truncate'; readonly from: LogIndex }
  | { readonly op: 'reset'; readonly nextIndex: LogIndex }
  | { readonly op: 'compact'; readonly through: LogIndex }
  | { readonly op: 'redact'; readonly tombstones: readonly LogEntry[] };

/** An error as data: the runtime makes the object, so that the core's effects stay comparable. */
export interface Failure {
  readonly code: RaftErrorCode;
  readonly message: string;
  readonly details?: RaftErrorDetails;
}

/**
 * What the core wants done. The runtime carries effects out in order; what takes time comes back as an input.
 *
 * `persist` goes through one lane, in order: hard state first, then the log writes; when all is durable, the effects in
 * `then` are carried out and one `persisted` input with `seq`, `logEpoch` and `lastIndex` is fed back. Neighbouring
 * persists may be merged into one write; the newest `seq`, `logEpoch` and `lastIndex` then stand for all.
 */
export type Effect =
  | {
      readonly type: 'persist';
      readonly seq: number;
      readonly hardState: HardStateValue | null;
      readonly log: readonly LogWrite[];
      readonly logEpoch: number;
      readonly lastIndex: LogIndex;
      readonly then: readonly Effect[];
    }
  | {
      readonly type: 'send';
      readonly rpcId: number;
      readonly to: Server;
      readonly request: RpcRequest;
      readonly timeoutMs: number;
    }
  | { readonly type: 'reply'; readonly requestId: number; readonly response: RpcResponse }
  | { readonly type: 'refuseRequest'; readonly requestId: number; readonly failure: Failure }
  /** Entries up to `index` may be applied. */
  | { readonly type: 'commit'; readonly index: LogIndex }
  /** Proposals got the indexes from `firstIndex` on, in `term`. */
  | { readonly type: 'proposed'; readonly ids: readonly number[]; readonly firstIndex: LogIndex; readonly term: Term }
  | {
      readonly type: 'refuseProposals';
      readonly ids: readonly number[];
      readonly outcome: ProposalOutcome;
      readonly failure: Failure;
    }
  | {
      readonly type: 'readLog';
      readonly peerId: ServerId;
      readonly epoch: number;
      readonly from: LogIndex;
      readonly to: LogIndex;
      readonly maxBytes: number;
    }
  | { readonly type: 'sendSnapshot'; readonly peer: Server; readonly epoch: number; readonly term: Term }
  | { readonly type: 'cancelSnapshot'; readonly peerId: ServerId; readonly epoch: number }
  | { readonly type: 'receiveSnapshot'; readonly requestId: number; readonly request: InstallSnapshotRequest }
  | { readonly type: 'resolveReads'; readonly ids: readonly number[]; readonly index: LogIndex }
  | { readonly type: 'refuseReads'; readonly ids: readonly number[]; readonly failure: Failure }
  /** A restore may go on, with a state above `lastIndex` and of `term`, unless there is a failure. */
  | {
      readonly type: 'restoreBegun';
      readonly id: number;
      readonly failure: Failure | null;
      readonly epoch: number;
      readonly lastIndex: LogIndex;
      readonly term: Term;
    }
  /** A transfer to `target` ended: this node leads no more, or there is a failure and it leads on. */
  | {
      readonly type: 'transferDone';
      readonly id: number;
      readonly target: ServerId | null;
      readonly term: Term;
      readonly failure: Failure | null;
    }
  | { readonly type: 'observe'; readonly observation: Observation }
  /** An invariant is broken: the node must stop and keep its data. */
  | { readonly type: 'halt'; readonly failure: Failure };
