/**
 * A PSP discovery node, composed of Raft, the shared list in its log and the consensus on it.
 *
 * @packageDocumentation
 */
export { NodeError, type NodeErrorCode } from './errors.js';
export {
  PACKET_REFUSALS,
  RaftBridge,
  type PacketGuard,
  type PacketRefusal,
  type RaftBridgeOptions,
} from './node/raft-bridge.js';
export {
  PacketSignatures,
  SIGNATURE_REFUSALS,
  type PacketSignaturesOptions,
  type SignatureCounts,
  type SignatureRefusal,
  type SignatureVerdict,
} from './node/packet-signatures.js';
export { SIGNATURE_POLICIES, type SignaturePolicy } from './node/signature-policy.js';
export { DiscoveryNode, type PeerLanes } from './node/discovery-node.js';
export type { DiscoveryNodeOptions } from './node/node-options.js';
export { memoryStores, type NodeStores } from './node/node-stores.js';
export type { ClientSource } from './node/client-session.js';
export type {
  DirectorySummary,
  ListSummary,
  NodeStatus,
  PeerStatus,
  RootsSummary,
  StateSummary,
} from './node/node-status.js';
export { discoveryListSchema, newDiscoveryList } from './pki/list-schema.js';
export { createNodeIdentity, NodeSigner, type NodeIdentity, type NodeIdentityOptions } from './pki/node-identity.js';
export { PkiVerifier } from './pki/pki-verifier.js';
export { oneRoot, type VerifierRoots } from './pki/verifier-roots.js';
export { FileRootStore } from './roots/file-root-store.js';
export { MemoryRootStore, type RootStore } from './roots/root-store.js';
export type { KnownNode, ReachableNode } from './roots/known-nodes.js';
export { pkiRootCrypto } from './roots/pki-root-crypto.js';
export { RootKeeper, type RootKeeperOptions } from './roots/root-keeper.js';
export type { RootService } from './roots/root-service.js';
export { FileDirectoryStore, type FileDirectoryStoreOptions } from './directory/file-directory-store.js';
export { ManualClock } from './time/manual-clock.js';
export { runDemo, type DemoOptions, type DemoSummary } from './demo/run-demo.js';
export { silentProgress, TerminalProgress, type Progress, type ProgressOutput } from './demo/progress.js';
export { loadConfig, type ConfigSources, type LoadedConfig } from './config/load.js';
export type { NodeConfig } from './config/schema.js';
export { readDeployment, type Deployment } from './daemon/deployment.js';
export { NodeProcess, type NodeProcessOptions, type ProcessEnd } from './daemon/node-process.js';
export { createLogger, type LoggerOptions, type LogOutput } from './logging/logger.js';
export {
  initNetwork,
  initNode,
  type InitNetworkOptions,
  type InitNodeOptions,
  type MadeNetwork,
  type MadeNode,
} from './keys/init-network.js';
export { AdminClient, type AdminClientOptions } from './admin/admin-client.js';
export type { AdminMethod, AdminParams, AdminResults, StatusReport } from './admin/protocol.js';
export {
  RememberingVerifier,
  type PeriodMemory,
  type RememberingVerifierOptions,
} from './verdicts/remembering-verifier.js';
export { VerdictMemory, type VerdictMemoryOptions } from './verdicts/verdict-memory.js';
export { DirectoryPress, type PreparedDirectory } from './http/prepared-directory.js';
