import type sorted from 'sorted-btree';
import * as sortedBtree from 'sorted-btree';

/** A B+ tree whose `clone()` takes constant time: both copies share their nodes until one of them is written to. */
export type SortedTree<K, V> = sorted.default<K, V>;

type SortedTreeClass = new <K, V>(
  entries: [K, V][] | undefined,
  compare: (a: K, b: K) => number,
  maxNodeSize?: number,
) => SortedTree<K, V>;

/**
 * The library is CommonJS with a `default` export. Imported by Node as ESM, the class is `default.default`; through a
 * transpiler that knows `__esModule` (Jest here, most bundlers), it is `default`. Both are the same class.
 */
function classOf(exported: unknown): SortedTreeClass {
  return typeof exported === 'function'
    ? (exported as SortedTreeClass)
    : (exported as { readonly default: SortedTreeClass }).default;
}

const Tree = classOf(sortedBtree.default);

/** An empty tree in the order of `compare`, which must be total. */
export function createTree<K, V>(compare: (a: K, b: K) => number): SortedTree<K, V> {
  return new Tree<K, V>(undefined, compare);
}
