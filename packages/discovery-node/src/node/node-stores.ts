import { MemoryDirectoryStore, type DirectoryStore } from '@discovery-raft/discovery-consensus-fsm';
import {
  MemoryLogStore,
  MemorySnapshotStore,
  MemoryStableStore,
  type LogStore,
  type SnapshotStore,
  type StableStore,
} from '@discovery-raft/raft-core';

/** Where a node keeps what outlives its process. */
export interface NodeStores {
  readonly logStore: LogStore;
  readonly stableStore: StableStore;
  readonly snapshotStore: SnapshotStore;
  readonly directoryStore: DirectoryStore;
}

/** Stores in memory: what they hold ends with the process. */
export function memoryStores(): NodeStores {
  return {
    logStore: new MemoryLogStore(),
    stableStore: new MemoryStableStore(),
    snapshotStore: new MemorySnapshotStore(),
    directoryStore: new MemoryDirectoryStore(),
  };
}
