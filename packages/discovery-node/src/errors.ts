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
  /** The configuration file is missing or cannot be read; `details.file`. */
  NODE_CONFIG_UNREADABLE: { retryable: false },
  /** The configuration is wrong; `details.problems` has each with its path and what to do. */
  NODE_CONFIG_INVALID: { retryable: false },
  /** A key, certificate or trust root is missing, damaged, or readable by others; `details.file`. */
  NODE_KEYS_UNREADABLE: { retryable: false },
  /** What was to be made is there already; nothing was overwritten; `details.path`. */
  NODE_EXISTS: { retryable: false },
  /** Another process uses the data directory; `details.pid`. */
  NODE_DATA_LOCKED: { retryable: true },
  /** The data directory is another node's; `details.owner`. */
  NODE_DATA_FOREIGN: { retryable: false },
  /** The address of HTTP, of PSP or of the admin socket cannot be listened at; the message names the setting. */
  NODE_LISTEN_FAILED: { retryable: true },
  /** A file of the data directory is damaged; the message says what to do. */
  NODE_DATA_CORRUPT: { retryable: false },
  /** This node's state is not what the other nodes have; the message has both digests and what to do. */
  NODE_STATE_DIVERGED: { retryable: false },
  /** No trust root names this node: it is not a member yet, or not any more. */
  NODE_NOT_NAMED: { retryable: true },
  /** A trust root is not to be believed, or must not be signed; `details.code` says why. */
  NODE_ROOT_REFUSED: { retryable: false },
  /** None of the network's nodes answered. */
  NODE_NETWORK_UNREACHABLE: { retryable: true },
  /** No node answers at the admin socket; `details.socket`. */
  NODE_ADMIN_UNREACHABLE: { retryable: true },
  /** The node refused a command; `details.code` is one of the admin protocol's. */
  NODE_ADMIN_REFUSED: { retryable: false },
  /** What was answered at the admin socket is not of its protocol. */
  NODE_ADMIN_MALFORMED: { retryable: false },
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
