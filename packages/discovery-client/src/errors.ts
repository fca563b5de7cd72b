/**
 * Every way in which an operation of this package can fail. What psp-link throws of a connection, and psp-envelope of one's
 * own bytes, passes through.
 */
const CODES = {
  /** An option is missing or out of its range; `details.option` names it. */
  CLIENT_INVALID_OPTION: { retryable: false },
  /** No answer in time. */
  CLIENT_TIMEOUT: { retryable: true },
  /** The caller's signal fired, or the operation was no longer wanted. */
  CLIENT_ABORTED: { retryable: false },
  /** The client was closed. */
  CLIENT_CLOSED: { retryable: false },
  /** The answer is not what was asked for: bytes that are no directory, or parts that do not fit together. */
  CLIENT_BAD_ANSWER: { retryable: true },
  /** The answer is larger than this client takes. */
  CLIENT_TOO_LARGE: { retryable: false },
  /** The node says that it has no directory. */
  CLIENT_NO_DIRECTORY: { retryable: true },
  /** A file or URL cannot be read; `details.status` is the answer of a web server. */
  CLIENT_SOURCE_FAILED: { retryable: true },
  /** No source gave a directory that is to be believed; `details.answers` has what each one said. */
  CLIENT_NO_GOOD_ANSWER: { retryable: true },
  /** The cache file cannot be read or written. */
  CLIENT_CACHE_FAILED: { retryable: true },
} as const satisfies Record<string, { retryable: boolean }>;

/** The closed list of codes. */
export type ClientErrorCode = keyof typeof CODES;

/** All codes, for code that counts or maps them. */
export const CLIENT_ERROR_CODES = Object.keys(CODES) as readonly ClientErrorCode[];

/** What one node or mirror said. */
export interface SourceAnswer {
  /** The node's `host:port`, or the URL or path. */
  readonly source: string;
  /**
   * `good`, `noDirectory`, `nothingNewer`, `pending` (no answer yet), the code of a refusal (`quorumMissing`, `rolledBack`, …), a
   * publish code, or the code of an error.
   */
  readonly code: string;
  /** For people. */
  readonly detail: string;
}

/** Facts beside an error's message. */
export interface ClientErrorDetails {
  readonly answers?: readonly SourceAnswer[];
  readonly [fact: string]: unknown;
}

/** The one error class of this package. Untrusted bytes give nothing else. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  readonly details: ClientErrorDetails;

  constructor(code: ClientErrorCode, message: string, details: ClientErrorDetails = {}, cause?: unknown) {
    super(`${message} [${code}]`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.retryable = CODES[code].retryable;
    this.details = details;
  }
}

/** The code and a short text of anything that was thrown. */
export function describeFailure(error: unknown): { readonly code: string; readonly detail: string } {
  // By shape, not by class: errors of Node's own can come from another realm.
  const { code, message }: { readonly code?: unknown; readonly message?: unknown } =
    typeof error === 'object' && error !== null ? error : {};
  const detail = typeof message === 'string' ? message : String(error);
  return { code: typeof code === 'string' ? code : 'unknown', detail: detail.slice(0, 200) };
}
