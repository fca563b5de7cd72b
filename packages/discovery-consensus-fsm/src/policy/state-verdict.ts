import { toleratedLiars } from './thresholds.js';

/** What the other members of a committee say of this node's state at one log index. */
export interface StateClaims {
  /** Members, this node included. */
  readonly nodes: number;
  /** Others that have the same digest. */
  readonly same: number;
  /** Others that have another one. */
  readonly other: number;
  /** Whether those that have said nothing are still waited for. */
  readonly isOpen: boolean;
}

/**
 * Whether this node has to take its own state for wrong: more of the others say so than can be lying, and they are no fewer
 * than those who stand with it, itself included. The second condition keeps the larger half going when one node differs,
 * and counts most where f = 0. Where two halves are equal nobody can tell who is right, and both are outvoted.
 *
 * While votes are open, the silent are taken to stand with it. Source: ADR 0017.
 */
export function isOutvoted({ nodes, same, other, isOpen }: StateClaims): boolean {
  const silent = nodes - 1 - same - other;
  const withIt = 1 + same + (isOpen ? silent : 0);
  return other > toleratedLiars(nodes) && other >= withIt;
}
