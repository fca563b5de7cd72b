import type { PolicyName } from '@discovery-raft/discovery-consensus-fsm';
import type { RaftConfig } from '@discovery-raft/raft-core';
import type { DiskProfile } from '../disk/sim-disk.js';
import type { LinkFaults } from '../network/link-faults.js';
import { Dice } from '../scenario/dice.js';
import { SLOT_SECONDS, TOLERANCE_SECONDS } from './calendar.js';
import { drawRootPlan, type RootPlan } from './roots/root-plan.js';

/** How often a liar does what, when there is an occasion; 0 to 1, and 0 for what it never does. */
export interface LiePlan {
  /** Says nothing where it should. */
  readonly silence: number;
  /** Votes NO or NOT_READY for no reason, with a bad or a stolen signature, twice, for another round. */
  readonly falseVotes: number;
  /** Sends votes late. */
  readonly late: number;
  /** Leading: freezes a round twice and shows each half of the others another list. */
  readonly twoLists: number;
  /** Leading: names digests that are nobody's. */
  readonly wrongDigests: number;
  /** Leading: sends final sets that are none. */
  readonly falseFinals: number;
  /** Leading: does not write what is forwarded. */
  readonly omission: number;
  /** Leading: takes valid items out of the list. */
  readonly removal: number;
  /** Leading: writes forged packets and forged attestations into the list. */
  readonly poison: number;
  /** Leading: asks for votes on rounds that are not due, or long over. */
  readonly wrongTime: number;
  /** Says again what was said before, by itself or by others. */
  readonly replay: number;
  /** Sends bytes that mean nothing. */
  readonly garbage: number;
  /** Not leading: speaks as if it led. */
  readonly pretence: number;
  /** Forwards forged packets and forged attestations. */
  readonly forgedForwards: number;
  /** Hands out forged and old directories. */
  readonly forgedDirectories: number;
  /** Says that its state is another than it is, to each or to all alike, and before it has one. */
  readonly falseStates: number;
  /** Leading: writes anew, as ended or soon to end, what others have attested. */
  readonly earlyEnds: number;
  /** Leading: writes forged packets and attestations with certificates that do not hold now, whatever another time may bring. */
  readonly madeUpDates: number;
  /** Leading: writes attestations of strangers in place of the members', so many that no other finds room. */
  readonly crowds: number;
}

/** One discovery node. */
export interface NodePlan {
  readonly name: string;
  /** Null for an honest node. */
  readonly lies: LiePlan | null;
  /** Its wall clock is so far ahead while there are faults, and afterwards. */
  readonly skewSeconds: number;
  readonly calmSkewSeconds: number;
  readonly disk: DiskProfile;
}

/** How often what goes wrong with the machines, on average; 0 for never. */
export interface MachineFaults {
  readonly partitionEveryMs: number;
  readonly crashEveryMs: number;
  readonly transferEveryMs: number;
  readonly clockEveryMs: number;
  /** How long a partition or an outage lasts, on average. */
  readonly durationMs: number;
  /** Chance that an honest node crashes at a step of a round: it signs, enters a state, publishes. */
  readonly crashAtStep: number;
  /** Chance that a write of the directory store fails. */
  readonly storeFailure: number;
}

/** What comes from outside. */
export interface OutsidePlan {
  readonly publishers: number;
  /** Further publishers whose certificates begin or end near the start of a slot; each publishes once. */
  readonly dated: number;
  /** Valid items of identities of its own that an outsider sends one node in each slot, shortly before its end; 0 for none. */
  readonly floodPerSlot: number;
  /** Packets that mean nothing or are forged, in each slot. */
  readonly trashPerSlot: number;
  /** Further publishers that give nodes different packets of one expiration. */
  readonly dividing: number;
}

/** Everything that one seed decides before the first event. */
export interface DiscoveryScenario {
  readonly seed: number;
  readonly policy: PolicyName;
  readonly nodes: readonly NodePlan[];
  readonly calm: LinkFaults;
  readonly links: LinkFaults;
  readonly faults: MachineFaults;
  readonly outside: OutsidePlan;
  readonly raft: Partial<RaftConfig>;
  /** Mean time of a verification; 0 for none. */
  readonly verifyMs: number;
  readonly shortListingBytes: number;
  /** How the trust root changes; null when it does not. */
  readonly root: RootPlan | null;
  /** 1 lets everything else have a turn after every single record. */
  readonly recordsPerSlice: number;
}

/** How many of n nodes may lie. */
export function liarsOf(size: number): number {
  return Math.floor((size - 1) / 3);
}

/** Draws a scenario. */
export function drawDiscoveryScenario(seed: number, policy: PolicyName): DiscoveryScenario {
  const dice = new Dice(seed ^ 0x1b56c4e9);
  const size = dice.pick([4, 4, 4, 5, 5, 6, 7, 7, 8, 9]);
  const liars = dice.chance(0.1) ? 0 : dice.chance(0.7) ? liarsOf(size) : 1;
  const skewed = dice.chance(0.5);
  const drawn = Array.from({ length: size }, (_, i) => drawNode(dice, `d${i + 1}`, i < liars, skewed));
  const nodes = withPoisons(drawn, new Dice(seed ^ 0x5d3e90b7));
  // What ADR 0016 promises, it promises of the safe policy.
  const slotMs = SLOT_SECONDS * 1000;
  const lying = nodes.filter(({ lies }) => lies !== null).length;
  const root = policy === 'safe' ? drawRootPlan(seed, { size, liars: lying, slotMs, liarsOf }) : null;
  const comer = root?.change === 'add' ? [newcomer(root.node!)] : [];
  const calm: LinkFaults = { delayMs: dice.between(1, 20), loss: 0, duplication: 0, longDelay: 0, longDelayMs: 0 };
  return {
    seed,
    policy,
    nodes: [...nodes, ...comer],
    root,
    calm,
    links: drawLinks(dice, calm),
    faults: drawFaults(dice),
    outside: {
      publishers: dice.int(3, 8),
      dated: dice.pick([0, 0, 2, 4]),
      floodPerSlot: dice.pick([0, 0, 6, 10]),
      trashPerSlot: dice.pick([0, 3, 6]),
      // With dice of their own, so that what else a seed decides stays as it was.
      dividing: new Dice(seed ^ 0x41a7d9e3).pick([0, 0, 0, 1, 3]),
    },
    raft: {
      heartbeatTimeoutMs: 2000,
      electionTimeoutMs: 2000,
      leaderLeaseTimeoutMs: 1500,
      rpcTimeoutMs: 1500,
      outcomeGraceMs: 1500,
      snapshotIntervalMs: dice.pick([5000, 20_000, 120_000]),
      snapshotThreshold: dice.pick([20, 100]),
      trailingLogs: dice.pick([0, 20, 10_000]),
    },
    verifyMs: dice.pick([0, 0, 0, 10]),
    shortListingBytes: dice.pick([500, 1 << 20, 1 << 20]),
    recordsPerSlice: dice.pick([1, 3, 2048]),
  };
}

function drawNode(dice: Dice, name: string, lies: boolean, skewed: boolean): NodePlan {
  const within = skewed ? TOLERANCE_SECONDS / 4 : 0;
  const calmSkewSeconds = dice.between(-within, within);
  // A liar's clock, and now and then an honest one, is far out.
  const wild = lies ? dice.chance(0.3) : skewed && dice.chance(0.15);
  return {
    name,
    lies: lies ? { ...NO_LIES, ...drawLies(dice) } : null,
    skewSeconds: wild ? dice.between(-1.5, 1.5) * SLOT_SECONDS : calmSkewSeconds,
    calmSkewSeconds: lies && wild ? dice.between(-1, 1) * TOLERANCE_SECONDS : calmSkewSeconds,
    disk: dice.chance(0.5)
      ? { immediate: true, writeMs: 0, readMs: 0 }
      : { immediate: false, writeMs: dice.between(0.5, 10), readMs: 0 },
  };
}

/** An honest node with a right clock, that comes with the next trust root. */
function newcomer(name: string): NodePlan {
  const disk = { immediate: true, writeMs: 0, readMs: 0 };
  return { name, lies: null, skewSeconds: 0, calmSkewSeconds: 0, disk };
}

/** Tells no lie. */
export const NO_LIES: LiePlan = {
  ...{ silence: 0, falseVotes: 0, late: 0, twoLists: 0, wrongDigests: 0, falseFinals: 0, omission: 0, removal: 0 },
  ...{ poison: 0, wrongTime: 0, replay: 0, garbage: 0, pretence: 0, forgedForwards: 0, forgedDirectories: 0 },
  ...{ falseStates: 0, earlyEnds: 0, madeUpDates: 0, crowds: 0 },
};

/** Machines on which nothing goes wrong. */
export const NO_MACHINE_FAULTS: MachineFaults = {
  ...{ partitionEveryMs: 0, crashEveryMs: 0, transferEveryMs: 0, clockEveryMs: 0 },
  ...{ durationMs: 0, crashAtStep: 0, storeFailure: 0 },
};

/** A liar has a few habits rather than all: what one lie prevents must not hide another. */
function drawLies(dice: Dice): Omit<LiePlan, 'earlyEnds' | 'madeUpDates' | 'crowds'> {
  const every = dice.pick([0.15, 0.3, 0.5]);
  const habit = (): number => (dice.chance(every) ? dice.pick([0.1, 0.4, 0.9]) : 0);
  return {
    silence: habit() / 2,
    falseVotes: habit(),
    late: habit(),
    twoLists: dice.chance(0.4) ? 0.9 : 0,
    wrongDigests: habit() / 2,
    falseFinals: habit(),
    omission: habit(),
    removal: habit(),
    poison: habit(),
    wrongTime: habit(),
    replay: habit(),
    garbage: habit(),
    pretence: habit(),
    forgedForwards: habit(),
    forgedDirectories: habit(),
    falseStates: habit(),
  };
}

/** With dice of their own: what else a seed decides stays as it was. */
function withPoisons(nodes: readonly NodePlan[], dice: Dice): NodePlan[] {
  const habit = (): number => (dice.chance(0.2) ? dice.pick([0.1, 0.4, 0.9]) : 0);
  return nodes.map((node) => {
    if (node.lies === null) return node;
    return { ...node, lies: { ...node.lies, earlyEnds: habit(), madeUpDates: habit(), crowds: habit() } };
  });
}

function drawLinks(dice: Dice, calm: LinkFaults): LinkFaults {
  const harsh = dice.chance(0.3);
  return {
    delayMs: dice.pick([calm.delayMs, calm.delayMs, 60]),
    loss: dice.pick([0, 0.01, harsh ? 0.2 : 0.05]),
    duplication: dice.pick([0, 0.02, harsh ? 0.3 : 0.1]),
    longDelay: dice.pick([0, 0.01, 0.05]),
    longDelayMs: dice.pick([500, 3000, 8000]),
  };
}

function drawFaults(dice: Dice): MachineFaults {
  return {
    partitionEveryMs: dice.pick([0, 8000, 20_000]),
    crashEveryMs: dice.pick([0, 5000, 15_000]),
    transferEveryMs: dice.pick([0, 8000, 20_000]),
    clockEveryMs: dice.pick([0, 0, 15_000]),
    durationMs: dice.pick([700, 2000, 8000]),
    crashAtStep: dice.pick([0, 0.02, 0.1]),
    storeFailure: dice.pick([0, 0, 0.03]),
  };
}
