import { ListError } from './errors.js';

/**
 * Bounds of one record. They decide what `apply` takes and what it ignores, so **every replica must have the same
 * ones**, like the schema.
 */
export interface ListLimits {
  /** Longest packet. Default 65,536. */
  readonly maxPacketBytes: number;
  /** Most attestations in one record. Default 64. */
  readonly maxAttestations: number;
  /** Longest certificate, and longest signature. Default 16,384. */
  readonly maxAttestationBytes: number;
  /** Longest identity that the schema may name, in UTF-16 units. Default 1,024. */
  readonly maxIdentityLength: number;
}

/** The limits that hold where none are given. */
export const DEFAULT_LIST_LIMITS: ListLimits = {
  maxPacketBytes: 65_536,
  maxAttestations: 64,
  maxAttestationBytes: 16_384,
  maxIdentityLength: 1_024,
};

/**
 * Fills in what is missing.
 *
 * @throws ListError LIST_OPTION_INVALID unless each limit is an integer from 1 to 2^30
 */
export function completeLimits(limits: Partial<ListLimits> = {}): ListLimits {
  const complete = { ...DEFAULT_LIST_LIMITS, ...limits };
  for (const [name, value] of Object.entries(complete)) requireInteger(name, value, 1, 2 ** 30);
  return complete;
}

/** @throws ListError LIST_OPTION_INVALID unless `value` is an integer in the range */
export function requireInteger(name: string, value: number, least: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  throw new ListError('LIST_OPTION_INVALID', `${name} must be an integer from ${least} to ${most}`, { name, value });
}
