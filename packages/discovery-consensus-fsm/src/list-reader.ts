import type { SharedList } from '@discovery-raft/raft-log-list';
import type { ListReader } from './ports.js';

/** What tells whether a list is whole at a marker. */
export interface ListCompleteness {
  /** `Raft.incompleteUntil`, asked while a marker is applied. */
  incompleteUntil(): number;
  /** Told the index of a marker whose list is not to be trusted. */
  skipped?(index: number): void;
}

/**
 * A `SharedList` as the port `list`, without the frozen lists that lack something: a node that catches up passes over the
 * tombstones of what was alive at the marker. It then has no list of that round and says so, instead of building another
 * listing than everybody else.
 *
 * @param completeness left out: every list is whole, as in a log that never loses an entry
 */
export function listReader(list: SharedList, completeness?: ListCompleteness): ListReader {
  return {
    view: () => list.view(),
    get: (identity) => list.get(identity),
    onInserted: (listener) => list.on('inserted', ({ record, replaced }) => listener(record, replaced)),
    onFrozen: (listener) =>
      list.on('frozen', (frozen) => {
        if (completeness === undefined || completeness.incompleteUntil() <= frozen.index) listener(frozen);
        else completeness.skipped?.(frozen.index);
      }),
    onRestored: (listener) => list.on('restored', () => listener()),
  };
}
