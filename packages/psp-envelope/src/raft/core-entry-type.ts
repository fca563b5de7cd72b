import type { EntryType } from '@discovery-raft/raft-core';

/**
 * raft-core's own numbers. This package uses only the types of raft-core, so it states the values, and the compiler
 * compares them.
 */
export const CoreEntryType: typeof EntryType = { command: 0, noop: 1, barrier: 4, configuration: 5, tombstone: 16 };
