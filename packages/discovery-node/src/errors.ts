/** Every way in which an operation of this package can fail; what the other packages throw passes through. */
const CODES = {
  /** An option is missing or out of its range; `details.option` names it. */
  NODE_INVALID_OPTION: { retryable: false },
  /** There is no link to this peer. */
  NODE_PEER_UNREACHABLE: { retryable: true },
  /** The other end did not answer in time. */
  NODE_TIMEOUT: { retryable: true },
  /** What the demonstration waited for did not come about. */
  NODE_DEMO_STALLED: { retryable: false },
  /** A data file is missing or cannot be read. */
  NODE_DATA_UNREADABLE: { retryable: false },
} as const satisfies Record<string, { retryable: boolean }>;

/** The closed list of codes. */
export type NodeErrorCode = keyof typeof CODES;

/** The error class of this package. */
export class NodeError extends Error {
  override readonly name = 'NodeError';
  readonly code: NodeErrorCode;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: NodeErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}, cause?: unknown) {
    super(`${message} [${code}]`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.retryable = CODES[code].retryable;
    this.details = details;
  }
}
