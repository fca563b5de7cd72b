/** Every way in which a call of this package can fail. `retryable` errors may succeed when tried again later. */
const CODES = {
  /** The node was not started, or has been shut down. */
  CONSENSUS_NOT_RUNNING: { retryable: false },
  /** Only a leader can do this. */
  CONSENSUS_NOT_LEADER: { retryable: true },
  /** A round is under way, or the present slot had its round. */
  CONSENSUS_ROUND_NOT_DUE: { retryable: true },
  /** An option is missing or out of its range. */
  CONSENSUS_INVALID_OPTION: { retryable: false },
  /** There is no directory that may be served. */
  CONSENSUS_NO_DIRECTORY: { retryable: true },
  /** A peer could not be reached. */
  CONSENSUS_CHANNEL_FAILED: { retryable: true },
  /** The signer failed. */
  CONSENSUS_SIGNER_FAILED: { retryable: true },
  /** The directory store failed. */
  CONSENSUS_STORE_FAILED: { retryable: true },
  /** Bytes that should hold a message do not. */
  CONSENSUS_MALFORMED: { retryable: false },
} as const satisfies Record<string, { retryable: boolean }>;

/** The closed list of error codes. */
export type ConsensusErrorCode = keyof typeof CODES;

/** All codes, for code that maps them. */
export const CONSENSUS_ERROR_CODES = Object.keys(CODES) as readonly ConsensusErrorCode[];

/** Facts beside an error's message. */
export interface ConsensusErrorDetails {
  readonly [fact: string]: string | number | boolean | null | undefined;
}

/**
 * The one error class of this package. It tells of operating failures; a peer's or publisher's bad message is never an
 * error but a counted refusal.
 */
export class ConsensusError extends Error {
  override readonly name = 'ConsensusError';
  readonly code: ConsensusErrorCode;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  readonly details: ConsensusErrorDetails;

  constructor(code: ConsensusErrorCode, message: string, details: ConsensusErrorDetails = {}, cause?: unknown) {
    super(`${message} [${code}]`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.retryable = CODES[code].retryable;
    this.details = details;
  }
}
