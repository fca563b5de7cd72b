import type { Random } from '@discovery-raft/raft-core';

/** How long to wait between attempts. */
export interface BackoffOptions {
  /** After the first failure, in milliseconds. */
  readonly minBackoffMs: number;
  /** However many there were. */
  readonly maxBackoffMs: number;
}

/**
 * Milliseconds to wait after so many failures in a row: doubled with each, and spread over the upper half, so that nodes
 * that lost each other at once do not meet again at once.
 */
export function backoffMs(failures: number, options: BackoffOptions, random: Random): number {
  if (failures === 0) return 0;
  // 2^30 times any delay is over any limit; a greater exponent would only overflow.
  const doubled = options.minBackoffMs * 2 ** Math.min(failures - 1, 30);
  return Math.min(doubled, options.maxBackoffMs) * (0.5 + 0.5 * random.next());
}
