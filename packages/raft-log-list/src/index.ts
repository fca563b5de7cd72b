/**
 * A list that several nodes share, and that lives in their Raft log: an update inserts the new record and deletes the
 * original, and what is deleted leaves the log, so the log stays as long as the list.
 *
 * @packageDocumentation
 */
export { LIST_ERROR_CODES, ListError, type ListErrorCode, type ListErrorDetails } from './errors.js';
export { DEFAULT_LIST_LIMITS, type ListLimits } from './limits.js';
export type { FrozenList, ListEvents } from './list-events.js';
export {
  recordBytes,
  type Attestation,
  type ListRecord,
  type ListSchema,
  type NewAttestation,
  type PacketClaims,
  type StoredRecord,
} from './record.js';
export type { IgnoredReason } from './state/apply-entry.js';
export type { Crc32, PackedSha256 } from './state/hashing.js';
export type { ListView } from './state/list-view.js';
export { compareIdentities, compareRecords, type RecordPlace } from './state/record-order.js';
export { SharedList, type ListResult, type ListStats, type SharedListOptions } from './shared-list.js';
export { ListWriter, type ListWriterOptions } from './writer/list-writer.js';
export type { UpsertOutcome } from './writer/operations.js';
