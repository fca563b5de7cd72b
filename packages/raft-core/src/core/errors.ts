/**
 * Every way in which a call of this package can fail. `retryable` errors may succeed when tried again, here or at the
 * leader; what `outcome` says decides whether trying again can do the thing twice.
 */
const CODES = {
  RAFT_NOT_LEADER: { retryable: true },
  RAFT_LEADERSHIP_LOST: { retryable: true },
  RAFT_TRANSFER_IN_PROGRESS: { retryable: true },
  RAFT_TRANSFER_FAILED: { retryable: true },
  RAFT_TIMEOUT: { retryable: true },
  RAFT_ABORTED: { retryable: false },
  RAFT_OVERLOADED: { retryable: true },
  RAFT_ENTRY_TOO_LARGE: { retryable: false },
  RAFT_SHUTDOWN: { retryable: false },
  RAFT_ALREADY_BOOTSTRAPPED: { retryable: false },
  RAFT_INVALID_OPTION: { retryable: false },
  RAFT_INVALID_CONFIGURATION: { retryable: false },
  RAFT_CONFIGURATION_CHANGED: { retryable: true },
  RAFT_CONFIGURATION_PENDING: { retryable: true },
  RAFT_NOTHING_NEW_TO_SNAPSHOT: { retryable: false },
  RAFT_RESTORE_IN_PROGRESS: { retryable: true },
  RAFT_SNAPSHOT_FAILED: { retryable: true },
  RAFT_STATE_MACHINE_FAILED: { retryable: false },
  RAFT_STORE_FAILED: { retryable: false },
  RAFT_STORE_CORRUPT: { retryable: false },
  RAFT_TRANSPORT_FAILED: { retryable: true },
  RAFT_TRANSPORT_TIMEOUT: { retryable: true },
  RAFT_TRANSPORT_CLOSED: { retryable: false },
  RAFT_TRANSPORT_OVERLOADED: { retryable: true },
  RAFT_MALFORMED: { retryable: false },
  RAFT_UNSUPPORTED_PROTOCOL: { retryable: false },
} as const satisfies Record<string, { retryable: boolean }>;

/** The closed list of error codes. */
export type RaftErrorCode = keyof typeof CODES;

/** All codes, for code that maps them. */
export const RAFT_ERROR_CODES = Object.keys(CODES) as readonly RaftErrorCode[];

/**
 * What became of a proposal whose promise was rejected.
 *
 * - `notAppended`: it is in no log and never will be;
 * - `unknownOutcome`: it may be committed now, later or never;
 * - `lost`: it was appended and is certain never to commit.
 */
export type ProposalOutcome = 'notAppended' | 'unknownOutcome' | 'lost';

/** Facts beside an error's message. */
export interface RaftErrorDetails {
  readonly outcome?: ProposalOutcome;
  /** Who leads now, as far as this node knows. */
  readonly leaderId?: string;
  readonly leaderAddress?: string;
  readonly [fact: string]: unknown;
}

/** The one error class of this package. */
export class RaftError extends Error {
  override readonly name = 'RaftError';
  readonly code: RaftErrorCode;
  /** Whether the same call may succeed later or elsewhere. */
  readonly retryable: boolean;
  readonly details: RaftErrorDetails;

  constructor(code: RaftErrorCode, message: string, details: RaftErrorDetails = {}, cause?: unknown) {
    super(`${message} [${code}]`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.retryable = CODES[code].retryable;
    this.details = details;
  }
}

/** The same error, which says also what became of the call; what is no {@link RaftError} stays as it is. */
export function withOutcome<E>(error: E, outcome: ProposalOutcome): E | RaftError {
  if (!(error instanceof RaftError)) return error;
  const message = error.message.slice(0, -` [${error.code}]`.length);
  return new RaftError(error.code, message, { ...error.details, outcome }, error.cause);
}
