/**
 * The client of PSP discovery nodes: pulls directories from nodes, web servers and files, verifies them against its own
 * trust root, remembers what it has seen, and publishes.
 *
 * @packageDocumentation
 */
export {
  CLIENT_ERROR_CODES,
  ClientError,
  type ClientErrorCode,
  type ClientErrorDetails,
  type SourceAnswer,
} from './errors.js';
export { NodeClient, type NodeClientOptions, type PublishReceipt } from './node/node-client.js';
export {
  DEFAULT_MAX_DIRECTORY_BYTES,
  signaturesNeeded,
  verifyDirectory,
  type RefusalCode,
  type RefusedDirectory,
  type VerifiedDirectory,
  type VerifyDirectoryOptions,
} from './directory/verify-directory.js';
export { freshnessOf, renewalDueAt, type DirectoryDates, type Freshness } from './directory/freshness.js';
