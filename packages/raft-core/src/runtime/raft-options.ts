import type { RaftConfig } from '../core/options.js';
import type { LogIndex, ServerAddress, ServerId, Term } from '../core/types.js';
import type { Clock } from '../ports/clock.js';
import type { LogStore } from '../ports/log-store.js';
import type { Logger } from '../ports/logger.js';
import type { Random } from '../ports/random.js';
import type { SnapshotStore } from '../ports/snapshot-store.js';
import type { StableStore } from '../ports/stable-store.js';
import type { StateMachine } from '../ports/state-machine.js';
import type { Transport } from '../ports/transport.js';

/** What a node is made of. The caller owns the ports, and closes them after `shutdown`. */
export interface RaftOptions<Response> {
  readonly id: ServerId;
  readonly address: ServerAddress;
  readonly transport: Transport;
  readonly logStore: LogStore;
  readonly stableStore: StableStore;
  readonly snapshotStore: SnapshotStore;
  readonly stateMachine: StateMachine<Response>;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Default: the machine's. */
  readonly random?: Random;
  /** Default: silent. */
  readonly logger?: Logger;
  /** Default: {@link DEFAULT_RAFT_CONFIG}. */
  readonly config?: Partial<RaftConfig>;
}

/** How one call behaves. */
export interface CallOptions {
  /**
   * Rejects the call after so many milliseconds, with RAFT_TIMEOUT; `details.outcome` says whether the entry was
   * appended. NaN is refused. Default: no limit, since every call settles anyway when its term or this node ends.
   */
  readonly timeoutMs?: number;
  /** Rejects the call when aborted, with RAFT_ABORTED. */
  readonly signal?: AbortSignal;
}

/** What became of a leadership transfer that was carried through. */
export interface Transferred {
  /** Who was chosen to take over. */
  readonly target: ServerId;
  /** The term that this node knew when its leadership ended. */
  readonly term: Term;
}

/** How one proposal behaves. */
export interface ApplyOptions extends CallOptions {
  /** A second opaque part of the entry. */
  readonly extensions?: Uint8Array;
}

/** How one change of the membership behaves. */
export interface MembershipOptions extends CallOptions {
  /**
   * Compare-and-set: the change is refused with RAFT_CONFIGURATION_CHANGED unless the configuration that counts is of this
   * index. Default 0: any.
   */
  readonly prevIndex?: LogIndex;
}

/** Numbers for people; a snapshot of them, not a contract. */
export interface RaftStats {
  readonly state: string;
  readonly term: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly stableIndex: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly lastSnapshotIndex: number;
  /** Highest superseding entry that is known of. */
  readonly redactedThrough: number;
  readonly pendingProposals: number;
  readonly uncommittedBytes: number;
  readonly logCacheBytes: number;
  /** On a leader: what each peer has. */
  readonly peers: Readonly<Record<string, { readonly match: number; readonly next: number; readonly mode: string }>>;
}
