import { listReader, type ListReader } from '@discovery-raft/discovery-consensus-fsm';
import type { SharedList } from '@discovery-raft/raft-log-list';

/**
 * Reads the shared list for the consensus, without the frozen lists that lack something: a node that catches up passes over
 * the tombstones of what was alive at the marker (RAFT.md, section 5). It then has no list of that round, and says so,
 * instead of building another listing than everybody else.
 *
 * @param incompleteUntil `Raft.incompleteUntil`, asked while the marker is applied
 * @param skipped told the index of a marker whose list is not to be trusted
 */
export function completeListReader(
  list: SharedList,
  incompleteUntil: () => number,
  skipped: (index: number) => void,
): ListReader {
  return {
    ...listReader(list),
    onFrozen: (listener) =>
      list.on('frozen', (frozen) => {
        if (incompleteUntil() > frozen.index) skipped(frozen.index);
        else listener(frozen);
      }),
  };
}
