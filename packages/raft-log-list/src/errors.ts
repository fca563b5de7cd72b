/** Every way in which a call of this package can fail. What is retryable may succeed later, or at the leader. */
const CODES = {
  LIST_NOT_LEADER: { retryable: true },
  LIST_LEADERSHIP_LOST: { retryable: true },
  LIST_OVERLOADED: { retryable: true },
  LIST_TOO_MANY_RECORDS: { retryable: true },
  LIST_TOO_MANY_ATTESTATIONS: { retryable: false },
  LIST_PACKET_TOO_LARGE: { retryable: false },
  LIST_PACKET_INVALID: { retryable: false },
  LIST_ATTESTATION_INVALID: { retryable: false },
  LIST_PROPOSAL_FAILED: { retryable: true },
  LIST_PROPOSAL_IGNORED: { retryable: false },
  LIST_SNAPSHOT_CORRUPT: { retryable: false },
  LIST_SNAPSHOT_VERSION: { retryable: false },
  LIST_OPTION_INVALID: { retryable: false },
} as const satisfies Record<string, { retryable: boolean }>;

/**
 * The closed list of error codes.
 *
 * - `LIST_NOT_LEADER`: the writer has not taken over; ask the leader;
 * - `LIST_LEADERSHIP_LOST`: it stepped down while the call waited; `details.outcome` says what became of the write;
 * - `LIST_OVERLOADED`: too many bytes wait to be written already;
 * - `LIST_TOO_MANY_RECORDS`: this identity has as many packets side by side as it may;
 * - `LIST_TOO_MANY_ATTESTATIONS`: the record would hold more attestations than it may;
 * - `LIST_PACKET_TOO_LARGE`, `LIST_PACKET_INVALID`: over the limit; not a packet of this list's schema;
 * - `LIST_ATTESTATION_INVALID`: the schema names no attester, or a part is over its limit;
 * - `LIST_PROPOSAL_FAILED`: Raft rejected the write, see `cause`; `details.outcome` as above;
 * - `LIST_PROPOSAL_IGNORED`: committed, but applied without effect: limits or schema differ between nodes;
 * - `LIST_SNAPSHOT_CORRUPT`, `LIST_SNAPSHOT_VERSION`: the bytes are damaged, or of a later version than this one reads;
 * - `LIST_OPTION_INVALID`: an option is out of its range.
 */
export type ListErrorCode = keyof typeof CODES;

/** All codes, for code that maps them. */
export const LIST_ERROR_CODES = Object.keys(CODES) as readonly ListErrorCode[];

/** Facts beside an error's message. */
export interface ListErrorDetails {
  /** What became of a write: it is in no log and never will be, it may be committed or not, or it never will be. */
  readonly outcome?: 'notAppended' | 'unknownOutcome' | 'lost';
  readonly [fact: string]: unknown;
}

/** The one error class of this package. */
export class ListError extends Error {
  override readonly name = 'ListError';
  readonly code: ListErrorCode;
  /** Whether the same call may succeed later or elsewhere. */
  readonly retryable: boolean;
  readonly details: ListErrorDetails;

  constructor(code: ListErrorCode, message: string, details: ListErrorDetails = {}, cause?: unknown) {
    super(`${message} [${code}]`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.retryable = CODES[code].retryable;
    this.details = details;
  }
}
