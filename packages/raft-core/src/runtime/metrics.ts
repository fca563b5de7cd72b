import type { Observation } from '../core/observations.js';

/** What a metric means: a counter only grows while the node lives, a gauge is the state of this moment. */
export interface MetricInfo {
  readonly kind: 'counter' | 'gauge';
  readonly unit: 'count' | 'bytes' | 'ms' | 'index' | 'term' | 'flag';
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
