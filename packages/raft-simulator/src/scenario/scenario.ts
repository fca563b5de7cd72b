import type { Configuration, RaftConfig, ServerId } from '@discovery-raft/raft-core';
import type { DiskProfile } from '../disk/sim-disk.js';
import type { LinkFaults } from '../network/link-faults.js';
import { addressOf } from '../network/sim-network.js';
import type { Skew } from '../time/process-clock.js';
import { Dice } from './dice.js';

/** Unix milliseconds at which simulations begin: 2026-01-01. */
const WALL_START_MS = 1_767_225_600_000;

/** Clocks run between so much slower and so much faster than the simulation's. */
const SKEW = 0.05;

/** Timeouts are reloaded with up to so many times their value. */
export const LONGEST_RELOAD = 1.5;

/** One server of a scenario. */
export interface ServerPlan {
  readonly id: ServerId;
  readonly skew: Skew;
  readonly disk: DiskProfile;
  /** When it calls `bootstrap` in the beginning; null for a spare one, which may join later. */
  readonly bootstrapAtMs: number | null;
}

/** How often what goes wrong, on average; 0 for never. */
export interface FaultPlan {
  readonly partitionEveryMs: number;
  readonly crashEveryMs: number;
  readonly pauseEveryMs: number;
  readonly stallEveryMs: number;
  readonly transferEveryMs: number;
  readonly reloadEveryMs: number;
  /** A leader's disk stands still for so long, once, that it must give up leading; 0 for never. */
  readonly stuckMs: number;
  /** How long a partition, a pause, a stall or an outage lasts, on average. */
  readonly durationMs: number;
  /** Chances per operation. */
  readonly writeFailure: number;
  readonly readFailure: number;
  readonly crashInWrite: number;
}

/** What clients do. */
export interface LoadPlan {
  readonly clients: number;
  readonly keys: number;
  /** Mean pause of a client between two operations. */
  readonly thinkMs: number;
  readonly readShare: number;
  /** Chance that an operation is a burst of writes instead. */
  readonly bursts: number;
  readonly maxPaddingBytes: number;
  /** Chance that an operation is a batch of writes instead. */
  readonly batches: number;
  /** Chance that a read is asked of any server, and not of a leader. */
  readonly anywhere: number;
}

/** Everything that one seed decides before the first event. */
export interface Scenario {
  readonly seed: number;
  readonly servers: readonly ServerPlan[];
  readonly configuration: Configuration;
  readonly config: Partial<RaftConfig>;
  readonly redacts: boolean;
  readonly calm: LinkFaults;
  readonly links: LinkFaults;
  readonly faults: FaultPlan;
  readonly load: LoadPlan;
  /** When all servers go down and most are lost for good; 0 for never. */
  readonly disasterAtMs: number;
  /** Mean pause between two restores of another state; 0 when there are none. */
  readonly restoreEveryMs: number;
  /** Mean pause between two changes of the membership; 0 when there are none. */
  readonly changeEveryMs: number;
}

/** Draws a scenario. */
export function drawScenario(seed: number): Scenario {
  const dice = new Dice(seed);
  const count = dice.pick([3, 3, 3, 4, 5, 5, 6, 7]);
  const heartbeatTimeoutMs = dice.pick([300, 500, 500, 1000, 1000]);
  // With windows of an entry or two a follower catches up slowly, so there must be little to catch up with.
  const narrow = dice.chance(0.25);
  const diskKind = dice.pick(['immediate', 'fast', 'fast', 'slow', 'mixed'] as const);
  // One disk or two so slow that the others go on without it.
  const sluggish = !narrow && dice.chance(0.3) ? dice.int(1, 2) : 0;
  const skewed = dice.chance(0.5);
  const servers = Array.from({ length: count }, (_, i): ServerPlan => ({
    id: `n${i + 1}`,
    skew: {
      rate: skewed ? dice.between(1 - SKEW, 1 + SKEW) : 1,
      offsetMs: skewed ? dice.int(0, 1_000_000) : 0,
      wallStartMs: WALL_START_MS + (skewed ? dice.int(-1e6, 1e6) : 0),
    },
    disk:
      i < sluggish
        ? { immediate: false, writeMs: Math.min(120, heartbeatTimeoutMs * dice.between(0.1, 0.4)), readMs: 0 }
        : drawDisk(dice, diskKind === 'mixed' ? dice.pick(['immediate', 'fast', 'slow']) : diskKind),
    bootstrapAtMs: dice.chance(0.5) ? 0 : dice.between(0, 2 * heartbeatTimeoutMs),
  }));
  const nonvoters = count > 3 && dice.chance(0.2) ? 1 : 0;
  // Dice of their own: a scenario is the same otherwise, with changes of the membership or without.
  const change = new Dice(seed ^ 0x2545f491);
  // Sluggish disks must not become the majority.
  const changeEveryMs = sluggish > 0 ? 0 : change.pick([0, 700, 1500, 3000]);
  const spares = changeEveryMs > 0 ? change.int(1, 4) : 0;
  const more = new Dice(seed ^ 0x3c6ef372);
  const calm: LinkFaults = { delayMs: dice.between(0.2, 3), loss: 0, duplication: 0, longDelay: 0, longDelayMs: 0 };
  const disasterAtMs = more.chance(0.12) ? more.between(3000, 15_000) : 0;
  return {
    seed,
    servers: [...servers, ...Array.from({ length: spares }, (_, i) => drawSpare(change, `n${count + i + 1}`))],
    configuration: {
      servers: servers.map(({ id }, i) => ({
        id,
        address: addressOf(id),
        suffrage: i >= count - nonvoters ? 'nonvoter' : 'voter',
      })),
    },
    config: {
      ...drawConfig(dice, heartbeatTimeoutMs, narrow, sluggish > 0),
      ...drawLeases(more, heartbeatTimeoutMs, skewed),
    },
    redacts: dice.chance(0.6),
    calm,
    links: drawLinks(dice, calm, heartbeatTimeoutMs),
    faults: drawFaults(dice, more, heartbeatTimeoutMs),
    load: drawLoad(dice, more, narrow),
    disasterAtMs,
    restoreEveryMs: disasterAtMs === 0 && more.chance(0.2) ? more.pick([2000, 6000]) : 0,
    changeEveryMs,
  };
}

function drawSpare(dice: Dice, id: ServerId): ServerPlan {
  return {
    id,
    skew: { rate: 1, offsetMs: dice.int(0, 1_000_000), wallStartMs: WALL_START_MS },
    disk: drawDisk(dice, dice.pick(['immediate', 'fast'])),
    bootstrapAtMs: null,
  };
}

function drawDisk(dice: Dice, kind: 'immediate' | 'fast' | 'slow'): DiskProfile {
  const readMs = dice.chance(0.5) ? 0 : dice.between(0.1, 2);
  if (kind === 'immediate') return { immediate: true, writeMs: 0, readMs };
  return { immediate: false, writeMs: kind === 'fast' ? dice.between(0.1, 1) : dice.between(2, 20), readMs };
}

function drawConfig(dice: Dice, heartbeatTimeoutMs: number, narrow: boolean, sluggish: boolean): Partial<RaftConfig> {
  const often = dice.chance(0.7);
  return {
    heartbeatTimeoutMs,
    electionTimeoutMs: heartbeatTimeoutMs * dice.pick([1, 1, 1, 2]),
    leaderLeaseTimeoutMs: Math.floor(heartbeatTimeoutMs * dice.pick([0.5, 0.5, 1])),
    commitTimeoutMs: dice.pick([5, 20, 50]),
    rpcTimeoutMs: dice.pick([500, 1000, 4000]),
    maxAppendEntries: narrow ? dice.pick([1, 2, 4]) : dice.pick([16, 64, 1024]),
    maxAppendBytes: narrow ? dice.pick([100, 1000]) : dice.pick([2000, 1 << 20]),
    maxInflightAppends: narrow ? dice.pick([1, 2, 4]) : dice.pick([2, 4, 16]),
    maxInflightBytes: narrow ? 500 : dice.pick([2000, 1 << 20]),
    maxUncommittedBytes: dice.pick([2000, 1 << 20, 1 << 20]),
    logCacheBytes: dice.pick([1, 500, 1 << 20]),
    // Whose disk takes long for each chunk must not need a new snapshot before it has the last one.
    trailingLogs: Math.max(sluggish ? 50 : 0, dice.pick([0, 1, 5, 50])),
    snapshotIntervalMs: often ? dice.pick([300, 1000, 4000]) : 120_000,
    snapshotThreshold: dice.pick([1, 10, 50]),
    snapshotChunkBytes: Math.max(sluggish ? 1000 : 0, dice.pick([16, 100, 1000, 1 << 16])),
    preVote: dice.chance(0.8),
    checkQuorum: dice.chance(0.7),
    outcomeGraceMs: dice.pick([0, 500, 2000]),
  };
}

/** Leases in some scenarios, with a margin that the clocks keep to: between two of them a lease drifts by so much. */
function drawLeases(dice: Dice, heartbeatTimeoutMs: number, skewed: boolean): Partial<RaftConfig> {
  if (!dice.chance(0.3)) return {};
  const leaderLeaseTimeoutMs = Math.floor(heartbeatTimeoutMs * dice.pick([0.7, 1, 1]));
  const drift = (1 + SKEW) / (1 - SKEW) - 1;
  const marginMs = skewed ? Math.ceil(leaderLeaseTimeoutMs * drift) : 0;
  // Answers that come late are still answers, else they could renew no lease.
  return {
    readMode: 'lease',
    rpcTimeoutMs: 4000,
    leaderLeaseTimeoutMs,
    clockDriftMarginMs: marginMs + dice.pick([1, 1, 50]),
  };
}

function drawLinks(dice: Dice, calm: LinkFaults, heartbeatTimeoutMs: number): LinkFaults {
  const harsh = dice.chance(0.3);
  return {
    delayMs: dice.pick([calm.delayMs, calm.delayMs, calm.delayMs * 5, heartbeatTimeoutMs / 20]),
    loss: dice.pick([0, 0.01, harsh ? 0.3 : 0.1]),
    duplication: dice.pick([0, 0.02, harsh ? 0.3 : 0.1]),
    longDelay: dice.pick([0, 0.01, harsh ? 0.1 : 0.03]),
    longDelayMs: dice.pick([50, 500, 3000]),
  };
}

function drawFaults(dice: Dice, more: Dice, heartbeatTimeoutMs: number): FaultPlan {
  const every = (...choices: readonly number[]): number => dice.pick([0, ...choices]);
  return {
    partitionEveryMs: every(1000, 2500, 6000),
    crashEveryMs: every(1000, 2500, 6000),
    pauseEveryMs: every(3000, 8000),
    stallEveryMs: every(2000, 6000),
    transferEveryMs: every(1500, 5000),
    reloadEveryMs: more.pick([0, 0, 1500, 4000]),
    // Longer than the most patient leader waits, where that is not most of the simulation.
    stuckMs: heartbeatTimeoutMs < 1000 && more.chance(0.3) ? heartbeatTimeoutMs * more.between(15, 30) : 0,
    durationMs: heartbeatTimeoutMs * dice.pick([0.5, 2, 6]),
    writeFailure: dice.pick([0, 0, 0.0005, 0.003]),
    readFailure: dice.pick([0, 0, 0.002]),
    crashInWrite: dice.pick([0, 0.0005, 0.003]),
  };
}

function drawLoad(dice: Dice, more: Dice, narrow: boolean): LoadPlan {
  return {
    clients: narrow ? dice.int(1, 2) : dice.int(1, 5),
    keys: dice.pick([1, 2, 4, 8]),
    thinkMs: narrow ? dice.pick([200, 500]) : dice.pick([50, 100, 300]),
    readShare: dice.pick([0.1, 0.4, 0.7]),
    bursts: narrow ? dice.pick([0, 0.02]) : dice.pick([0, 0.02, 0.05]),
    maxPaddingBytes: dice.pick([0, 50, 300]),
    batches: narrow ? more.pick([0, 0.05]) : more.pick([0, 0.02, 0.05]),
    anywhere: more.pick([0, 0.2, 0.5]),
  };
}
