import type { Observation } from '../core/observations.js';
import { Histogram, type HistogramReading } from './histogram.js';

/** What a metric means: a counter only grows while the node lives, a gauge is the state of this moment. */
export interface MetricInfo {
  readonly kind: 'counter' | 'gauge';
  readonly unit: 'count' | 'bytes' | 'ms' | 'index' | 'term' | 'flag' | 'state';
  readonly help: string;
}

/** Every metric of a node, by name. A Prometheus exporter needs nothing else. */
export const RAFT_METRICS = {
  term: { kind: 'gauge', unit: 'term', help: 'current term' },
  isLeader: { kind: 'gauge', unit: 'flag', help: '1 on the leader' },
  hasLeader: { kind: 'gauge', unit: 'flag', help: '1 when a leader is known' },
  lastContactMs: { kind: 'gauge', unit: 'ms', help: 'since a leader was heard; 0 on the leader, -1 before the first' },
  firstIndex: { kind: 'gauge', unit: 'index', help: 'first entry of the log' },
  lastIndex: { kind: 'gauge', unit: 'index', help: 'last entry of the log' },
  stableIndex: { kind: 'gauge', unit: 'index', help: 'last entry that is durable here' },
  commitIndex: { kind: 'gauge', unit: 'index', help: 'last entry that is committed' },
  appliedIndex: { kind: 'gauge', unit: 'index', help: 'last entry that the state machine has applied' },
  snapshotIndex: { kind: 'gauge', unit: 'index', help: 'last entry that the newest snapshot covers' },
  pendingProposals: { kind: 'gauge', unit: 'count', help: 'proposals that are not settled' },
  uncommittedBytes: { kind: 'gauge', unit: 'bytes', help: 'appended by this leader and not committed' },
  applyBacklogBytes: { kind: 'gauge', unit: 'bytes', help: 'committed by this leader and not applied here' },
  logCacheBytes: { kind: 'gauge', unit: 'bytes', help: 'entries held in memory' },
  peersBehind: { kind: 'gauge', unit: 'index', help: 'on the leader: entries that the slowest peer lacks' },
  peersInSnapshot: { kind: 'gauge', unit: 'count', help: 'on the leader: peers that are sent a snapshot' },
  eventLoopLagMs: { kind: 'gauge', unit: 'ms', help: 'how late the last timer was' },
  eventLoopLagMaxMs: { kind: 'gauge', unit: 'ms', help: 'how late the latest timer ever was' },
  campaigns: { kind: 'counter', unit: 'count', help: 'elections that this node stood in' },
  leaderships: { kind: 'counter', unit: 'count', help: 'elections that it won' },
  leaderChanges: { kind: 'counter', unit: 'count', help: 'times that the known leader changed' },
  entriesProposed: { kind: 'counter', unit: 'count', help: 'proposals that were appended' },
  proposalsRefused: {
    kind: 'counter',
    unit: 'count',
    help: 'proposals that were refused once they had reached the core',
  },
  entriesApplied: { kind: 'counter', unit: 'count', help: 'entries applied since the start' },
  bytesApplied: { kind: 'counter', unit: 'bytes', help: 'their sizes' },
  readsConfirmed: { kind: 'counter', unit: 'count', help: 'reads that were confirmed' },
  readsRefused: { kind: 'counter', unit: 'count', help: 'reads that were not' },
  requestsSent: { kind: 'counter', unit: 'count', help: 'requests to peers, snapshots aside' },
  requestsFailed: { kind: 'counter', unit: 'count', help: 'those that failed' },
  requestsReceived: { kind: 'counter', unit: 'count', help: 'requests of peers' },
  messagesUnsupported: {
    kind: 'counter',
    unit: 'count',
    help: 'requests and responses of peers that speak another version of the protocol',
  },
  heartbeatsFailed: { kind: 'counter', unit: 'count', help: 'times that a peer fell silent' },
  storeWrites: { kind: 'counter', unit: 'count', help: 'writes that became durable, after merging' },
  snapshotsTaken: { kind: 'counter', unit: 'count', help: 'snapshots of this node' },
  snapshotsInstalled: { kind: 'counter', unit: 'count', help: 'snapshots of a leader, or of a restore' },
  transfersFailed: { kind: 'counter', unit: 'count', help: 'leadership transfers that came to nothing' },
} as const satisfies Record<string, MetricInfo>;

/** What a leader knows of each peer, by name: all are gauges. */
export const RAFT_PEER_METRICS = {
  match: { kind: 'gauge', unit: 'index', help: 'last entry that the peer is known to have stored' },
  next: { kind: 'gauge', unit: 'index', help: 'next entry to be sent' },
  behind: { kind: 'gauge', unit: 'index', help: 'entries that the peer is not known to have' },
  inflightAppends: { kind: 'gauge', unit: 'count', help: 'appends with entries that are not answered' },
  inflightBytes: { kind: 'gauge', unit: 'bytes', help: 'their entries' },
  lastContactMs: { kind: 'gauge', unit: 'ms', help: 'since the peer last answered' },
  rttMs: {
    kind: 'gauge',
    unit: 'ms',
    help: 'what the last answered request without entries took; -1 before the first',
  },
  state: { kind: 'gauge', unit: 'state', help: '0 probe, 1 replicate, 2 snapshot' },
} as const satisfies Record<string, MetricInfo>;

/** A value for each metric of a peer. */
export type PeerMetrics = Readonly<Record<keyof typeof RAFT_PEER_METRICS, number>>;

const MS_BOUNDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10_000] as const;
const COUNT_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096] as const;

/** What a histogram means. */
export interface HistogramInfo {
  readonly unit: 'ms' | 'count';
  readonly bounds: readonly number[];
  readonly help: string;
}

/** Every histogram of a node, by name. */
export const RAFT_HISTOGRAMS = {
  commitMs: { unit: 'ms', bounds: MS_BOUNDS, help: 'on the leader, from the append of an entry to its commit' },
  storeWriteMs: { unit: 'ms', bounds: MS_BOUNDS, help: 'a write to the stores, until it is durable' },
  storeWriteEntries: {
    unit: 'count',
    bounds: COUNT_BOUNDS,
    help: 'entries appended by one write, of writes that append',
  },
  applyMs: { unit: 'ms', bounds: MS_BOUNDS, help: 'the state machine applies what is applied in one go' },
  applyEntries: { unit: 'count', bounds: COUNT_BOUNDS, help: 'entries applied in one go' },
  eventLoopLagMs: { unit: 'ms', bounds: MS_BOUNDS, help: 'how late a timer of the node was' },
} as const satisfies Record<string, HistogramInfo>;

/** The name of a histogram. */
export type HistogramName = keyof typeof RAFT_HISTOGRAMS;

/** A reading of each histogram, since the node was started. */
export type RaftHistograms = Readonly<Record<HistogramName, HistogramReading>>;

export type Histograms = Readonly<Record<HistogramName, Histogram>>;

export function newHistograms(): Histograms {
  const entries = Object.entries(RAFT_HISTOGRAMS).map(([name, { bounds }]) => [name, new Histogram(bounds)]);
  return Object.fromEntries(entries) as Histograms;
}

/** The name of a metric. */
export type MetricName = keyof typeof RAFT_METRICS;

/** A value for each metric. */
export type RaftMetrics = Readonly<Record<MetricName, number>>;

type CounterName = { [K in MetricName]: (typeof RAFT_METRICS)[K]['kind'] extends 'counter' ? K : never }[MetricName];

/** Counts. One addition an event; everything else is computed when it is asked for. */
export type Counters = Record<CounterName, number>;

export function newCounters(): Counters {
  const counters: Record<string, number> = {};
  for (const [name, { kind }] of Object.entries(RAFT_METRICS)) if (kind === 'counter') counters[name] = 0;
  return counters as Counters;
}

/** Counts what was observed. */
export function countObservation(counters: Counters, { event, payload }: Observation): void {
  if (event === 'stateChange') {
    if (payload.to === 'candidate') counters.campaigns++;
    else if (payload.to === 'leader') counters.leaderships++;
  } else if (event === 'leaderChange') counters.leaderChanges++;
  else if (event === 'heartbeatFailed') counters.heartbeatsFailed++;
  else if (event === 'snapshotTaken') counters.snapshotsTaken++;
  else if (event === 'snapshotInstalled') counters.snapshotsInstalled++;
}
