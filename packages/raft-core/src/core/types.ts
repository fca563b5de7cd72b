/** A server's name: unique in a cluster, for life. Not its address. */
export type ServerId = string;

/** Where a server is reached; only its transport knows what the text means. */
export type ServerAddress = string;

/** Position in the log, from 1; 0 means "before the first entry". Always a safe integer. */
export type LogIndex = number;

/** Raft term, from 1; 0 means "no term yet". Always a safe integer. */
export type Term = number;

/** Milliseconds of a monotonic clock with an arbitrary zero. */
export type MonotonicMs = number;

/**
 * What a log entry holds. The numbers are hashicorp/raft's (`LogType`), but for `tombstone`, which is ours.
 *
 * - `command`: goes to the state machine;
 * - `noop`: a new leader's first entry;
 * - `barrier`: nothing, but it is applied in order, so who waits for it has seen all before it applied;
 * - `configuration`: a {@link Configuration} as bytes;
 * - `tombstone`: the place of an entry that was redacted. Its data is the SHA-256 of the data that stood there, its
 *   extensions the index of the entry that superseded it, as 8 bytes, the highest first.
 */
export const EntryType = { command: 0, noop: 1, barrier: 4, configuration: 5, tombstone: 16 } as const;
/** One of the numbers of {@link EntryType}. */
export type EntryType = (typeof EntryType)[keyof typeof EntryType];

/**
 * One entry of the log. An entry is immutable: whoever holds one may keep it, nobody may write into its bytes.
 */
export interface LogEntry {
  readonly index: LogIndex;
  readonly term: Term;
  readonly type: EntryType;
  /** Opaque to Raft, but for configurations and tombstones. */
  readonly data: Uint8Array;
  /** A second opaque part, for middleware that must not touch `data` (hashicorp/raft's `Extensions`). */
  readonly extensions?: Uint8Array;
  /** Unix milliseconds at the leader when it appended the entry; for people and metrics, never for decisions. */
  readonly appendedAtMs?: number;
}

/** Bytes that one entry counts for wherever a limit is in bytes: payload plus a fixed overhead of 32. */
export function entrySize(entry: LogEntry): number {
  return proposalSize(entry.data, entry.extensions);
}

/** Bytes that an entry counts for beside its payload. */
export const ENTRY_OVERHEAD = 32;

/** The {@link entrySize} that an entry with this payload has. */
export function proposalSize(data: Uint8Array, extensions?: Uint8Array): number {
  return data.length + (extensions?.length ?? 0) + ENTRY_OVERHEAD;
}

/** `staging` is a server that will become a voter once it has caught up; it counts as a non-voter until then. */
export type Suffrage = 'voter' | 'nonvoter' | 'staging';

/** One member of a cluster. */
export interface Server {
  readonly suffrage: Suffrage;
  readonly id: ServerId;
  readonly address: ServerAddress;
}

/** The members of a cluster. During a joint change, `outgoing` holds the servers of the configuration that is left. */
export interface Configuration {
  readonly servers: readonly Server[];
  readonly outgoing?: readonly Server[];
}

/** Roles of a server. `preCandidate` asks whether it could win before it disturbs anyone. */
export type RaftState = 'follower' | 'preCandidate' | 'candidate' | 'leader' | 'shutdown';

/** What a snapshot holds, without its bytes. */
export interface SnapshotMeta {
  /** Unique in its store. */
  readonly id: string;
  /** Version of the format; 1. */
  readonly version: number;
  /** Last entry that the snapshot covers. */
  readonly index: LogIndex;
  /** Term of that entry. */
  readonly term: Term;
  /** Configuration as of `index`. */
  readonly configuration: Configuration;
  /** Index of the entry that holds `configuration`. */
  readonly configurationIndex: LogIndex;
  /** Bytes of the state. */
  readonly size: number;
}
