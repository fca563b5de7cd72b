/** Every way in which a call or a connection of this package can fail. */
const CODES = {
  /** An option is missing or out of its range; `details.option` names it. */
  LINK_INVALID_OPTION: { retryable: false },
  /** A key or a certificate of one's own cannot be used. */
  LINK_BAD_CREDENTIALS: { retryable: false },
  /** Nobody can listen at this address and port. */
  LINK_LISTEN_FAILED: { retryable: true },
  /** Either end closed the channel or stream, or the connection below it ended. */
  LINK_CHANNEL_CLOSED: { retryable: true },
  /** More bytes wait to be sent, or to be read, than the channel may hold. */
  LINK_CHANNEL_OVERLOADED: { retryable: true },
  /** The connection ended; `details.reason` says why when the peer did not just close it. */
  LINK_CONNECTION_CLOSED: { retryable: true },
  /** No TCP connection, or it broke. */
  LINK_UNREACHABLE: { retryable: true },
  /** TLS could not be agreed on, or broke. */
  LINK_TLS_FAILED: { retryable: true },
  /** A step of the handshake, or the opening of a stream, took longer than it may. */
  LINK_TIMEOUT: { retryable: true },
  /** The caller's signal fired. */
  LINK_ABORTED: { retryable: false },
  /** A count or length is over its limit. Found before memory is taken for it. */
  LINK_TOO_LARGE: { retryable: false },
  /** Bytes that are no cell, or a cell whose payload is not what its command says. */
  LINK_MALFORMED: { retryable: false },
  /** A good cell at a moment, or with a circuit id, where no correct peer sends it. */
  LINK_UNEXPECTED_CELL: { retryable: false },
  /** There is no version of the protocol, or method of authentication, that both ends know. */
  LINK_NO_COMMON_VERSION: { retryable: false },
  /** A certificate of the peer is missing, malformed, badly signed, or its key is not one that is accepted. */
  LINK_BAD_CERTIFICATE: { retryable: false },
  /** A certificate of the peer is not valid yet, or not any more. */
  LINK_CERTIFICATE_EXPIRED: { retryable: true },
  /** A field of the peer's authentication is not what this end saw of the connection, or its signature is wrong. */
  LINK_AUTHENTICATION_FAILED: { retryable: false },
  /** The peer proved an identity, but not the one that was expected, or one that is not trusted. */
  LINK_UNTRUSTED_PEER: { retryable: false },
  /** The listener holds as many connections as it may, of this address or in total. */
  LINK_TOO_MANY_CONNECTIONS: { retryable: true },
  /** The connection holds as many streams as it may. */
  LINK_TOO_MANY_STREAMS: { retryable: true },
  /** The peer refused a stream; `details.reason` is its number (WIRE.md, section 3). */
  LINK_STREAM_REFUSED: { retryable: false },
  /** A callback of the caller threw, or this package has a defect; `cause` tells. It ends one connection. */
  LINK_INTERNAL: { retryable: true },
  /** Another live link to the same peer took this one's place. */
  LINK_REPLACED: { retryable: true },
} as const satisfies Record<string, { retryable: boolean }>;

/** The closed list of error codes. */
export type LinkErrorCode = keyof typeof CODES;

/** All codes, for code that counts or maps them. */
export const LINK_ERROR_CODES = Object.keys(CODES) as readonly LinkErrorCode[];

/** What was thrown, as an error of this package. */
export function toLinkError(thrown: unknown): LinkError {
  return thrown instanceof LinkError
    ? thrown
    : new LinkError('LINK_INTERNAL', 'something threw that should not', {}, thrown);
}

/** The one error class of this package. Bytes of a peer give nothing else. */
export class LinkError extends Error {
  override readonly name = 'LinkError';
  readonly code: LinkErrorCode;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  /** Facts beside the message: the field, the limit, the number found. Never payload or key material. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: LinkErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}, cause?: unknown) {
    super(`${message} [${code}]`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.retryable = CODES[code].retryable;
    this.details = details;
  }
}
