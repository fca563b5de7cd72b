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
export type { SeenMark } from './directory/seen-mark.js';
export {
  formatAddress,
  type ConnectNode,
  type ConnectOptions,
  type NodeAddress,
  type NodeConnection,
} from './node/node-address.js';
export { connectOverTls, type ConnectOverTlsOptions } from './node/connect-over-tls.js';
export { fetchDirectory, fetchTrustRoots, type FetchDirectoryOptions } from './source/fetch-directory.js';
export { chainFrom, extendChain, type LongerChain } from './roots/root-memory.js';
export { DiscoveryClient } from './client/discovery-client.js';
export type { FullList } from './client/full-list.js';
export type { DiscoveryClientOptions } from './client/options.js';
export { signItem, type OwnItem } from './client/sign-item.js';
export type { PublishResult } from './client/publish-packet.js';
export type { WatchOptions } from './client/watch.js';
