import { RaftError, type RaftErrorDetails } from '@discovery-raft/raft-core';

/**
 * Why a call of the store failed.
 *
 * - `full`: the disk, a quota, a file size limit or `maxBytes` is exhausted;
 * - `io`: the operating system or LMDB refused for any other reason;
 * - `corrupt`: what is stored is not what was written;
 * - `locked`: another process, or another store of this process, has the path open;
 * - `poisoned`: an earlier write failed, so this one was not tried;
 * - `closed`: the store is closed;
 * - `missing`: there is no snapshot with this id;
 * - `misuse`: the caller broke a rule of the port, such as a gap between two appends.
 */
export type StoreFailure = 'full' | 'io' | 'corrupt' | 'locked' | 'poisoned' | 'closed' | 'missing' | 'misuse';

/** What of the store is affected. */
export type StorePart = 'database' | 'log' | 'block' | 'redactions' | 'hard state' | 'snapshot';

/** What is known of a failure. */
export interface StoreErrorFacts {
  readonly failure: StoreFailure;
  /** Directory of the store. */
  readonly path: string;
  readonly part?: StorePart;
  /** First log index that is affected, for a block. */
  readonly index?: number;
  /** File that is affected, for a snapshot. */
  readonly file?: string;
  /** Process that has the store open, for `locked`. */
  readonly pid?: number;
  /** Code of the operating system (`ENOSPC`) or of LMDB (`-30792`). */
  readonly errno?: string | number;
}

/** Facts beside the message of a {@link StoreError}. */
export interface StoreErrorDetails extends RaftErrorDetails, StoreErrorFacts {
  /** What an operator does about it. */
  readonly advice: string;
}

/**
 * The one error class of this package: a {@link RaftError} whose code is RAFT_STORE_CORRUPT for the failure `corrupt` and
 * RAFT_STORE_FAILED for every other, with typed details. Never retryable in the same process.
 */
export class StoreError extends RaftError {
  declare readonly details: StoreErrorDetails;

  constructor(message: string, facts: StoreErrorFacts, cause?: unknown) {
    const { failure } = facts;
    const code = failure === 'corrupt' ? 'RAFT_STORE_CORRUPT' : 'RAFT_STORE_FAILED';
    const advice = adviceFor(facts);
    const spoken =
      failure === 'misuse' || failure === 'missing' || failure === 'closed' ? message : `${message}: ${advice}`;
    super(code, spoken, { ...facts, advice }, cause);
  }

  /** Why the call failed. */
  get failure(): StoreFailure {
    return this.details.failure;
  }
}

function adviceFor({ failure, part }: StoreErrorFacts): string {
  switch (failure) {
    case 'full':
      return 'free space on the disk or raise the limit, then restart this node; nothing acknowledged is lost';
    case 'io':
      return 'check the disk and its file system, then restart this node; nothing acknowledged is lost unless the disk lost it';
    case 'locked':
      return 'stop the process that has it open, or give this node a directory of its own';
    case 'poisoned':
      return 'an earlier write failed and left the disk in doubt; restart this node';
    case 'corrupt':
      return part === 'snapshot'
        ? 'move the snapshot away if an older one and the log behind it are still there; else remove this node from the ' +
            'cluster, move its directory away, and add it again under a new id'
        : 'do not repair it by hand, and do not start an empty store under the same id, which could vote twice; remove ' +
            'this node from the cluster, move its directory away, and add it again under a new id';
    case 'closed':
      return 'open the store again';
    case 'missing':
      return 'list the snapshots again';
    case 'misuse':
      return 'this is a fault of the calling program';
  }
}

const FULL: ReadonlySet<string | number> = new Set(['ENOSPC', 'EFBIG', 'EDQUOT', 28, 27, 122, -30792]);
/** MDB_PAGE_NOTFOUND, MDB_CORRUPTED, MDB_VERSION_MISMATCH, MDB_INVALID. */
const CORRUPT: ReadonlySet<string | number> = new Set([-30797, -30796, -30794, -30793]);
/** What a second process of the same number in another PID namespace gets when it takes a reader slot. */
const LOCKED: ReadonlySet<string | number> = new Set(['EAGAIN', 'EACCES', 11, 13, -30778]);

/** Turns whatever the operating system or LMDB threw into a {@link StoreError}. */
export function storeErrorOf(
  what: string,
  cause: unknown,
  where: { readonly path: string; readonly part?: StorePart; readonly file?: string; readonly opening?: boolean },
): StoreError {
  if (cause instanceof StoreError) return cause;
  const errno = codeOf(cause);
  const { opening = false, ...place } = where;
  let failure: StoreFailure = 'io';
  if (errno !== undefined && FULL.has(errno)) failure = 'full';
  else if (errno !== undefined && CORRUPT.has(errno)) failure = 'corrupt';
  else if (opening && errno !== undefined && LOCKED.has(errno) && !isOfFiles(cause)) failure = 'locked';
  const text: unknown = typeof cause === 'object' && cause !== null ? Reflect.get(cause, 'message') : cause;
  return new StoreError(
    `${what} failed (${String(text)})`,
    { failure, ...place, ...(errno === undefined ? {} : { errno }) },
    cause,
  );
}

/** Whether a call of node's `fs` failed: that a file may not be opened does not mean that somebody else has it. */
function isOfFiles(cause: unknown): boolean {
  return typeof cause === 'object' && cause !== null && typeof Reflect.get(cause, 'syscall') === 'string';
}

/** The code of an error of the operating system or of LMDB. Errors may come from another realm: no `instanceof`. */
export function codeOf(cause: unknown): string | number | undefined {
  if (typeof cause !== 'object' || cause === null) return undefined;
  const code: unknown = Reflect.get(cause, 'code');
  return typeof code === 'string' || typeof code === 'number' ? code : undefined;
}
