/** Every way in which a call of this package can fail. None gets better by trying again with the same bytes. */
const CODES = {
  /** The bytes end inside a field or before a declared length. */
  ENVELOPE_TRUNCATED: { retryable: false },
  /** A length or count is over its limit. Found before memory is taken for it. */
  ENVELOPE_TOO_LARGE: { retryable: false },
  /** A length of zero, a cell that breaks the rules of segmentation, or bytes past the declared length. */
  ENVELOPE_BAD_FRAMING: { retryable: false },
  /** An event id that this package does not know. */
  ENVELOPE_UNKNOWN_EVENT: { retryable: false },
  /** A raftMsgType that this package does not know. */
  ENVELOPE_UNKNOWN_MESSAGE_TYPE: { retryable: false },
  /** Not protobuf. */
  ENVELOPE_MALFORMED: { retryable: false },
  /** Protobuf, but a field is missing or holds what no correct peer sends. Also: a message that cannot be encoded. */
  ENVELOPE_INVALID_VALUE: { retryable: false },
} as const satisfies Record<string, { retryable: boolean }>;

/** The closed list of error codes. */
export type EnvelopeErrorCode = keyof typeof CODES;

/** All codes, for code that counts or maps them. */
export const ENVELOPE_ERROR_CODES = Object.keys(CODES) as readonly EnvelopeErrorCode[];

/** The one error class of this package. Untrusted bytes give nothing else. */
export class EnvelopeError extends Error {
  override readonly name = 'EnvelopeError';
  readonly code: EnvelopeErrorCode;
  /** Always false: the same bytes fail again. */
  readonly retryable: boolean;
  /** Facts beside the message: the field, the limit, the number found. Never payload. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: EnvelopeErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    cause?: unknown,
  ) {
    super(`${message} [${code}]`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.retryable = CODES[code].retryable;
    this.details = details;
  }
}

/** Refuses a field's value. */
export function invalid(field: string, why: string, found?: unknown): never {
  throw new EnvelopeError('ENVELOPE_INVALID_VALUE', `${field} ${why}`, { field, found });
}

/** Refuses what is over a limit. */
export function requireAtMost(field: string, found: number, limit: number): void {
  if (found > limit)
    throw new EnvelopeError('ENVELOPE_TOO_LARGE', `${field} is over its limit`, { field, found, limit });
}
