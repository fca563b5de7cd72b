import type { MonotonicMs, RaftState, ServerId } from '../core/types.js';
import type { Driver } from './driver.js';
import type { HistogramName, PeerMetrics, RaftHistograms, RaftMetrics } from './metrics.js';
import type { HistogramReading } from './histogram.js';
import type { RaftStats } from './raft-options.js';

/** What is read of a node. */
type Readable = Pick<
  Driver<unknown>,
  'stopped' | 'core' | 'clock' | 'loop' | 'snapshots' | 'counters' | 'histograms' | 'appliedIndex' | 'pendingProposals'
>;

/** The role of a node, as its users see it. */
export function stateOf({ stopped, core }: Pick<Readable, 'stopped' | 'core'>): RaftState {
  return stopped ? 'shutdown' : core.state;
}

/** See `Raft.lastContactMs`. */
export function lastContactOf({ core, clock }: Pick<Readable, 'core' | 'clock'>): MonotonicMs {
  return core.state === 'leader' ? 0 : clock.now() - core.leaderContactAt;
}

/** Every metric, as of now. */
export function metricsOf(driver: Readable): RaftMetrics {
  const { core, loop } = driver;
  const { cacheBytes, uncommittedBytes, backlogBytes, peers } = core.stats();
  const progress = Object.values(peers);
  const contact = lastContactOf(driver);
  return {
    ...driver.counters,
    term: core.term,
    isLeader: stateOf(driver) === 'leader' ? 1 : 0,
    hasLeader: core.leader === null ? 0 : 1,
    lastContactMs: contact === Infinity ? -1 : contact,
    firstIndex: core.firstIndex,
    lastIndex: core.lastIndex,
    stableIndex: core.stableIndex,
    commitIndex: core.commitIndex,
    appliedIndex: driver.appliedIndex,
    snapshotIndex: driver.snapshots.lastIndex,
    pendingProposals: driver.pendingProposals,
    uncommittedBytes,
    applyBacklogBytes: backlogBytes,
    logCacheBytes: cacheBytes,
    peersBehind: progress.reduce((most, { match }) => Math.max(most, core.lastIndex - match), 0),
    peersInSnapshot: progress.filter(({ mode }) => mode === 'snapshot').length,
    eventLoopLagMs: loop.lagMs,
    eventLoopLagMaxMs: loop.lagMaxMs,
  };
}

/** Numbers for people. */
export function statsOf(driver: Readable): RaftStats {
  const { core } = driver;
  const { cacheBytes, uncommittedBytes, peers } = core.stats();
  return {
    state: stateOf(driver),
    term: core.term,
    firstIndex: core.firstIndex,
    lastIndex: core.lastIndex,
    stableIndex: core.stableIndex,
    commitIndex: core.commitIndex,
    appliedIndex: driver.appliedIndex,
    lastSnapshotIndex: driver.snapshots.lastIndex,
    redactedThrough: core.redactedThrough,
    pendingProposals: driver.pendingProposals,
    uncommittedBytes,
    logCacheBytes: cacheBytes,
    peers,
  };
}

const STATES = { probe: 0, replicate: 1, snapshot: 2 } as const;

/** What a leader knows of each peer, as of now. */
export function peerMetricsOf({
  core,
  clock,
}: Pick<Readable, 'core' | 'clock'>): Readonly<Record<ServerId, PeerMetrics>> {
  const { lastIndex } = core;
  const now = clock.now();
  const peers = Object.entries(core.stats().peers).map(
    ([id, { mode, lastContactAt, ...rest }]): [string, PeerMetrics] => [
      id,
      { ...rest, behind: lastIndex - rest.match, lastContactMs: now - lastContactAt, state: STATES[mode] },
    ],
  );
  return Object.fromEntries(peers);
}

/** Every histogram, as of now. */
export function histogramsOf({ histograms }: Pick<Readable, 'histograms'>): RaftHistograms {
  const readings: Partial<Record<HistogramName, HistogramReading>> = {};
  for (const [name, histogram] of Object.entries(histograms)) readings[name as HistogramName] = histogram.read();
  return readings as RaftHistograms;
}
