import { EntryType, type LogIndex } from '../core/types.js';
import type { LogStore } from '../ports/log-store.js';

/** Bytes of log read at once. */
const READ_BYTES = 64 << 10;

/**
 * Where the run of tombstones that begins at `from` ends; `from` - 1 when there is none.
 *
 * @param through the last entry to look at
 * @throws RaftError of the store, also when compaction took entries meanwhile
 */
export async function endOfTombstones(store: LogStore, from: LogIndex, through: LogIndex): Promise<LogIndex> {
  let index = from;
  while (index <= Math.min(through, store.lastIndex)) {
    const entries = await store.read(index, through, READ_BYTES);
    for (const entry of entries) {
      if (entry.type !== EntryType.tombstone) return index - 1;
      index++;
    }
  }
  return index - 1;
}
