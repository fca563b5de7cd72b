/**
 * Durable stores for raft-core: log, term and vote in LMDB, snapshots as files.
 *
 * @packageDocumentation
 */
export { LmdbStore, type LmdbStoreOptions, type LmdbStoreStats } from './lmdb-store.js';
export {
  StoreError,
  type StoreErrorDetails,
  type StoreErrorFacts,
  type StoreFailure,
  type StorePart,
} from './store-error.js';
