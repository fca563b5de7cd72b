import type { VerifiedDirectory } from './verify-directory.js';

/** The newest directory that a client has believed: what it must not fall behind of, also after a restart. */
export interface SeenMark {
  /** Unix seconds. */
  readonly creation: number;
  /** SHA-256 of the full listing's bytes, 32 bytes. */
  readonly fullDigest: Uint8Array;
}

/** The mark of a directory. */
export function markOf({ creation, fullDigest }: VerifiedDirectory): SeenMark {
  return { creation, fullDigest };
}

/**
 * How a directory that is good by itself stands to what was seen before. `same` are the full listing of a round and the
 * short one that was chosen from it; `conflicting` are two listings of one round, which shows that more nodes lied than
 * the quorum allows for.
 */
export function compareWithSeen(
  directory: VerifiedDirectory,
  seen: SeenMark | null,
): 'newer' | 'same' | 'rolledBack' | 'conflicting' {
  if (seen === null || directory.creation > seen.creation) return 'newer';
  if (directory.creation < seen.creation) return 'rolledBack';
  return Buffer.from(directory.fullDigest).equals(seen.fullDigest) ? 'same' : 'conflicting';
}

/** Whether `a` is worth more than `b` to a client: newer, or of the same round and complete where `b` is short. */
export function isBetter(a: VerifiedDirectory, b: VerifiedDirectory): boolean {
  return a.creation === b.creation ? a.complete && !b.complete : a.creation > b.creation;
}
