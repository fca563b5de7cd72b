/** Exit codes of the command line. The README explains each. */
export const EXIT = {
  ok: 0,
  /** The answer is no: a publish was refused, a directory is not to be believed, the demonstration found a loss. */
  lostOrWrong: 1,
  /** The command line or the configuration is wrong. */
  usage: 2,
  /** It was tried, and failed. */
  failed: 3,
  /** No node answered, or no other source of a directory. */
  unreachable: 4,
  /** Another process uses the data directory. */
  locked: 5,
  /** The node's own data is damaged, or its store failed: a person is needed. */
  data: 6,
  /** The node's state is not what the other nodes have: a person is needed. */
  diverged: 7,
} as const;

const BY_CODE: Readonly<Record<string, number>> = {
  NODE_INVALID_OPTION: EXIT.usage,
  NODE_CONFIG_UNREADABLE: EXIT.usage,
  NODE_CONFIG_INVALID: EXIT.usage,
  NODE_EXISTS: EXIT.usage,
  NODE_KEYS_UNREADABLE: EXIT.usage,
  NODE_DATA_FOREIGN: EXIT.usage,
  RAFT_INVALID_OPTION: EXIT.usage,
  CONSENSUS_INVALID_OPTION: EXIT.usage,
  NODE_NOT_NAMED: EXIT.lostOrWrong,
  NODE_ROOT_REFUSED: EXIT.lostOrWrong,
  NODE_ADMIN_UNREACHABLE: EXIT.unreachable,
  NODE_NETWORK_UNREACHABLE: EXIT.unreachable,
  CLIENT_UNREACHABLE: EXIT.unreachable,
  CLIENT_SOURCE_FAILED: EXIT.unreachable,
  CLIENT_TIMEOUT: EXIT.unreachable,
  CLIENT_BAD_ANSWER: EXIT.lostOrWrong,
  CLIENT_TOO_LARGE: EXIT.lostOrWrong,
  CLIENT_INVALID_OPTION: EXIT.usage,
  NODE_DATA_LOCKED: EXIT.locked,
  NODE_DATA_CORRUPT: EXIT.data,
  NODE_STATE_DIVERGED: EXIT.diverged,
  RAFT_STORE_FAILED: EXIT.data,
  RAFT_STORE_CORRUPT: EXIT.data,
  RAFT_STATE_MACHINE_FAILED: EXIT.data,
};

/** The exit code that tells of an error. */
export function exitCodeOf(error: unknown): number {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const code = 'code' in at && typeof at.code === 'string' ? BY_CODE[at.code] : undefined;
    if (code !== undefined) return code;
  }
  return EXIT.failed;
}
