import { RaftError } from './errors.js';
import { ENTRY_OVERHEAD } from './types.js';

/** How a read makes sure that the leader still leads. */
export type ReadMode = 'quorum' | 'lease';

/** What may be set of a node's behaviour. Times are milliseconds, sizes bytes. */
export interface RaftConfig {
  /**
   * How long a follower goes without hearing from a leader before it campaigns: random in [1, 2) times this. Leaders
   * send heartbeats every random [1/10, 2/10) of it. Reloadable. Default 1000.
   */
  readonly heartbeatTimeoutMs: number;
  /** How long a candidate waits for votes: random in [1, 2) times this. At least heartbeatTimeoutMs. Reloadable. Default 1000. */
  readonly electionTimeoutMs: number;
  /** How long an idle leader waits before it tells followers of a new commit index. Default 50. */
  readonly commitTimeoutMs: number;
  /** How long a leader goes without hearing from a quorum before it steps down. At most heartbeatTimeoutMs. Default 500. */
  readonly leaderLeaseTimeoutMs: number;
  /** When a request to a peer counts as failed. Lost appends are noticed earlier, by later heartbeats. Default 10,000. */
  readonly rpcTimeoutMs: number;
  /** Entries in one AppendEntries request. Default 1024. */
  readonly maxAppendEntries: number;
  /** Bytes of entries in one AppendEntries request (one entry always fits). Default 1 MiB. */
  readonly maxAppendBytes: number;
  /** AppendEntries requests with entries under way to one follower. Default 16. */
  readonly maxInflightAppends: number;
  /** Bytes of entries under way to one follower. Default 8 MiB. */
  readonly maxInflightBytes: number;
  /** Bytes of entries that a leader has appended and not committed; above, proposals are refused. Default 64 MiB. */
  readonly maxUncommittedBytes: number;
  /** Bytes of entries that a leader has committed and not applied; above, proposals are refused. Default 64 MiB. */
  readonly maxApplyBacklogBytes: number;
  /**
   * Bytes of one entry's data and extensions. With its overhead of 32 it must fit maxUncommittedBytes. Default 1 MiB, or what
   * a smaller maxUncommittedBytes has room for.
   */
  readonly maxEntryBytes: number;
  /** Bytes of recent entries kept in memory for followers, beside those that are not stored or applied yet. Default 16 MiB. */
  readonly logCacheBytes: number;
  /** Entries kept behind a snapshot, for followers that lag. Reloadable. Default 10,240. */
  readonly trailingLogs: number;
  /** How often to look whether a snapshot is due: random in [1, 2) times this. Reloadable. Default 120,000. */
  readonly snapshotIntervalMs: number;
  /**
   * Entries applied since the last snapshot that make one due at the next look; and entries redacted since then that, if
   * their tombstones take a twelfth of its bytes, make one due at once. Reloadable. Default 8192.
   */
  readonly snapshotThreshold: number;
  /**
   * Bytes of entries applied since the last snapshot that make one due, at once and not only at the next look. Counted
   * from the node's start. Reloadable. Default 256 MiB.
   */
  readonly snapshotThresholdBytes: number;
  /** Bytes in one InstallSnapshot request. Default 256 KiB. */
  readonly snapshotChunkBytes: number;
  /** Stop this node when a committed configuration does not name it any more. Default true. */
  readonly shutdownOnRemove: boolean;
  /** Ask whether an election could be won before disturbing anyone. Default true. */
  readonly preVote: boolean;
  /** A leader that does not hear from a quorum steps down. Default true. */
  readonly checkQuorum: boolean;
  /**
   * How `readIndex` makes sure that this node still leads: `quorum` asks one each time; `lease` takes it from the time at
   * which a quorum last answered, and rests on clocks. All servers of a cluster need the same. Default `quorum`.
   */
  readonly readMode: ReadMode;
  /**
   * With leases: by how much clocks may drift apart within `leaderLeaseTimeoutMs`, which shortens the lease; when it is not
   * shorter than that, there is no lease. Default 100.
   */
  readonly clockDriftMarginMs: number;
  /**
   * How long a proposal that was under way when leadership ended waits to learn whether it was committed, before it is
   * rejected as `unknownOutcome`. Default 2000.
   */
  readonly outcomeGraceMs: number;
}

/** The defaults; hashicorp/raft's where it has the option. */
export const DEFAULT_RAFT_CONFIG: RaftConfig = {
  heartbeatTimeoutMs: 1000,
  electionTimeoutMs: 1000,
  commitTimeoutMs: 50,
  leaderLeaseTimeoutMs: 500,
  rpcTimeoutMs: 10_000,
  maxAppendEntries: 1024,
  maxAppendBytes: 1 << 20,
  maxInflightAppends: 16,
  maxInflightBytes: 8 << 20,
  maxUncommittedBytes: 64 << 20,
  maxApplyBacklogBytes: 64 << 20,
  maxEntryBytes: 1 << 20,
  logCacheBytes: 16 << 20,
  trailingLogs: 10_240,
  snapshotIntervalMs: 120_000,
  snapshotThreshold: 8192,
  snapshotThresholdBytes: 256 << 20,
  snapshotChunkBytes: 256 << 10,
  shutdownOnRemove: true,
  preVote: true,
  checkQuorum: true,
  readMode: 'quorum',
  clockDriftMarginMs: 100,
  outcomeGraceMs: 2000,
};

/** The options that `Raft.reloadConfig` takes; hashicorp/raft's, and the threshold in bytes. */
export const RELOADABLE_OPTIONS = [
  'heartbeatTimeoutMs',
  'electionTimeoutMs',
  'trailingLogs',
  'snapshotIntervalMs',
  'snapshotThreshold',
  'snapshotThresholdBytes',
] as const satisfies readonly (keyof RaftConfig)[];

/** What `Raft.reloadConfig` takes. */
export type ReloadableConfig = Pick<RaftConfig, (typeof RELOADABLE_OPTIONS)[number]>;

const MINIMUM: Partial<Record<keyof RaftConfig, number>> = {
  heartbeatTimeoutMs: 5,
  electionTimeoutMs: 5,
  commitTimeoutMs: 1,
  leaderLeaseTimeoutMs: 5,
  trailingLogs: 0,
  outcomeGraceMs: 0,
  clockDriftMarginMs: 0,
};

/**
 * Completes and checks a configuration.
 *
 * @throws RaftError RAFT_INVALID_OPTION, naming the option, its value and what is allowed
 */
export function resolveConfig(given: Partial<RaftConfig> = {}): RaftConfig {
  const config: Record<string, unknown> = { ...DEFAULT_RAFT_CONFIG };
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(DEFAULT_RAFT_CONFIG, name)) throw invalid(name, value, 'is not an option');
    if (value === undefined) continue;
    if (typeof value !== typeof DEFAULT_RAFT_CONFIG[name as keyof RaftConfig]) {
      throw invalid(name, value, `must be a ${typeof DEFAULT_RAFT_CONFIG[name as keyof RaftConfig]}`);
    }
    const minimum = MINIMUM[name as keyof RaftConfig] ?? 1;
    if (typeof value === 'number' && !(Number.isSafeInteger(value) && value >= minimum)) {
      throw invalid(name, value, `must be a whole number of at least ${minimum}`);
    }
    if (name === 'readMode' && value !== 'quorum' && value !== 'lease') {
      throw invalid(name, value, 'must be quorum or lease');
    }
    config[name] = value;
  }
  const result = config as unknown as RaftConfig;
  const roomForOne = result.maxUncommittedBytes - ENTRY_OVERHEAD;
  if (given.maxEntryBytes === undefined && roomForOne > 0) {
    config['maxEntryBytes'] = Math.min(result.maxEntryBytes, roomForOne);
  }
  if (result.maxEntryBytes > roomForOne) {
    const why = `and ${ENTRY_OVERHEAD} more must fit maxUncommittedBytes (${result.maxUncommittedBytes})`;
    throw invalid('maxEntryBytes', result.maxEntryBytes, why);
  }
  if (result.electionTimeoutMs < result.heartbeatTimeoutMs) {
    throw invalid(
      'electionTimeoutMs',
      result.electionTimeoutMs,
      `must be at least heartbeatTimeoutMs (${result.heartbeatTimeoutMs})`,
    );
  }
  if (result.leaderLeaseTimeoutMs > result.heartbeatTimeoutMs) {
    throw invalid(
      'leaderLeaseTimeoutMs',
      result.leaderLeaseTimeoutMs,
      `must be at most heartbeatTimeoutMs (${result.heartbeatTimeoutMs})`,
    );
  }
  return result;
}

/**
 * The configuration that a running node goes on with.
 *
 * @throws RaftError RAFT_INVALID_OPTION for an option that cannot be changed, or a value that does not fit the others
 */
export function reloadedConfig(current: RaftConfig, given: Partial<ReloadableConfig>): RaftConfig {
  for (const [name, value] of Object.entries(given)) {
    if (!(RELOADABLE_OPTIONS as readonly string[]).includes(name)) {
      throw invalid(name, value, 'cannot be changed while the node runs');
    }
  }
  const changes = Object.entries(given).filter(([, value]) => value !== undefined);
  return resolveConfig({ ...current, ...Object.fromEntries(changes) });
}

function invalid(option: string, value: unknown, why: string): RaftError {
  return new RaftError('RAFT_INVALID_OPTION', `${option} ${why}, not ${String(value)}`, { option, value });
}
