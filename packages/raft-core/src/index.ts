/**
 * Raft for TypeScript: a deterministic core that does no I/O, and a runtime with the API of hashicorp/raft.
 *
 * @packageDocumentation
 */
export { Raft } from './runtime/raft.js';
export type {
  ApplyOptions,
  CallOptions,
  MembershipOptions,
  RaftOptions,
  RaftStats,
  Transferred,
} from './runtime/raft-options.js';
export type { ObserveOptions, Observer } from './runtime/observer.js';
export type { Applied } from './runtime/pending-proposals.js';
export {
  RAFT_HISTOGRAMS,
  RAFT_METRICS,
  RAFT_PEER_METRICS,
  type HistogramInfo,
  type HistogramName,
  type MetricInfo,
  type MetricName,
  type PeerMetrics,
  type RaftHistograms,
  type RaftMetrics,
} from './runtime/metrics.js';
export type { HistogramReading } from './runtime/histogram.js';
export type { RestoreMeta } from './runtime/user-restore.js';
export { recoverCluster, type RecoverOptions } from './runtime/recover-cluster.js';
export { parsePeersJson } from './runtime/peers-json.js';
export { hasExistingState } from './runtime/load-state.js';
export { readConfiguration } from './runtime/read-configuration.js';
export { readLogEnd, type LogEnd } from './runtime/read-log-end.js';
export {
  DEFAULT_RAFT_CONFIG,
  RELOADABLE_OPTIONS,
  resolveConfig as resolveRaftConfig,
  type RaftConfig,
  type ReadMode,
  type ReloadableConfig,
} from './core/options.js';
export type { ConfigurationAt } from './core/configuration.js';
export type { RaftEvents } from './core/observations.js';
export * from './core/types.js';
export * from './core/rpc.js';
export * from './core/errors.js';
export type * from './ports/transport.js';
export type * from './ports/log-store.js';
export type * from './ports/stable-store.js';
export type * from './ports/snapshot-store.js';
export type * from './ports/state-machine.js';
export type * from './ports/clock.js';
export type * from './ports/random.js';
export * from './ports/logger.js';
export { MemoryLogStore } from './memory/memory-log-store.js';
export { MemoryStableStore } from './memory/memory-stable-store.js';
export { MemorySnapshotStore } from './memory/memory-snapshot-store.js';
export { systemClock } from './clock/system-clock.js';
export { SimulatedClock } from './clock/simulated-clock.js';
export { seededRandom, systemRandom } from './clock/seeded-random.js';
