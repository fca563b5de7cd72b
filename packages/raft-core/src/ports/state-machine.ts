import type { Configuration, LogEntry, LogIndex } from '../core/types.js';
import type { MaybePromise } from './log-store.js';

/** What a state machine may do to the log while it applies. */
export interface ApplyContext {
  /**
   * Asks to redact the entry at `index`, which the entry being applied supersedes: its data leaves the log on this
   * replica, its index, term and SHA-256 stay. Decided by the state machine alone, so every replica must decide alike.
   * `index` must be below the index of the entry being applied; one that is gone already is ignored.
   *
   * @param sha256 the SHA-256 of its data, 32 bytes to be kept, from who has computed it when the entry was applied here:
   * then the entry, which may be an old one, need not be read and hashed again
   */
  redact(index: LogIndex, sha256?: Uint8Array): void;
}

/** A frozen view of the state, taken between two entries. */
export interface StateMachineSnapshot {
  /**
   * Writes the state; may take long, while the state machine goes on. Who waits for each `write` needs the memory of one chunk; who
   * does not, of all. A chunk must not be written to before its `write` is done.
   */
  persist(write: (chunk: Uint8Array) => MaybePromise<void>): MaybePromise<void>;
  /** Called once, whether `persist` was called or not. */
  release(): void;
}

/** The bytes of a snapshot, in order. */
export type SnapshotBytes = AsyncIterable<Uint8Array>;

/**
 * What the log drives (hashicorp/raft's `FSM`). Calls never overlap. It must be deterministic, and a throw from `apply`
 * stops the node: an outcome such as "key not found" is a return value.
 *
 * @typeParam Response what `apply` returns to the proposer on the leader
 */
export interface StateMachine<Response = unknown> {
  /**
   * True when neither the state nor a response holds bytes of an entry, or a window of them, once `apply` or `applyTombstone` has
   * returned. Then these may be called with entries whose bytes are overwritten afterwards, which spares a restart a copy of
   * the whole log. Left out: false.
   */
  readonly keepsNoBytes?: boolean;
  /** Applies one committed command; called once per command and index, in order; never with a tombstone. */
  apply(entry: LogEntry, context: ApplyContext): Response;
  /**
   * Told, in its place among the calls of `apply`, of a command that this replica never saw, since it had left the log
   * before: there is only its tombstone, whose data is the SHA-256 of the command's. Every replica hears of a command
   * by exactly one of the two calls. It must not change what `apply` answers; it is for who keeps a hash of the log.
   */
  applyTombstone?(tombstone: LogEntry): void;
  /** Freezes the state as it is; must be quick. */
  snapshot(): StateMachineSnapshot;
  /** Replaces the state by a snapshot's. */
  restore(bytes: SnapshotBytes): Promise<void>;
  /** Told of each committed configuration. */
  storeConfiguration?(index: LogIndex, configuration: Configuration): void;
}
