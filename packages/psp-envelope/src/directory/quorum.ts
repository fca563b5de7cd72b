/** How signatures are counted. `safe` is ours and the default; `documented` is what deployed nodes do. */
export type QuorumRule = 'safe' | 'documented';

/** How many of `nodes` may lie without harm: f = floor((n - 1) / 3). */
export function toleratedLiars(nodes: number): number {
  return Math.floor((nodes - 1) / 3);
}

/**
 * Signatures that make a directory of a network of so many discovery nodes (DISCOVERY.md, section 3).
 *
 * `safe`: floor((n + f) / 2) + 1, so any two quorums share more than f nodes. `documented`: at least half of the nodes,
 * so with an even n two disjoint quorums exist.
 *
 * @param nodes 1 or more
 */
export function directoryQuorum(nodes: number, rule: QuorumRule = 'safe'): number {
  return rule === 'documented'
    ? Math.max(1, Math.ceil(nodes / 2))
    : Math.floor((nodes + toleratedLiars(nodes)) / 2) + 1;
}
