import type sorted from 'sorted-btree';
import { bulkLoad } from 'sorted-btree/extended/bulkLoad.js';

/** A B+ tree whose `clone()` takes constant time: both copies share their nodes until one of them is written to. */
export type SortedTree<K, V> = sorted.default<K, V>;

/** Children of a node at most; the library's own default. */
const NODE_SIZE = 32;

/**
 * A tree that is built at once, which takes a fraction of what finding the place of each key does.
 *
 * @param keys in strictly ascending order of `compare`, which must be total
 * @param values as many
 */
export function treeOf<K, V>(keys: K[], values: V[], compare: (a: K, b: K) => number): SortedTree<K, V> {
  return bulkLoad(keys, values, NODE_SIZE, compare);
}
