import type { SharedList } from '@discovery-raft/raft-log-list';
import type { ListReader } from './ports.js';

/** Reads a `SharedList` through the port of this package. */
export function listReader(list: SharedList): ListReader {
  return {
    view: () => list.view(),
    get: (identity) => list.get(identity),
    onInserted: (listener) => list.on('inserted', ({ record }) => listener(record)),
    onFrozen: (listener) => list.on('frozen', listener),
    onRestored: (listener) => list.on('restored', () => listener()),
  };
}
