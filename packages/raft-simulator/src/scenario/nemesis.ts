import { DEFAULT_RAFT_CONFIG, type RaftConfig, type ReloadableConfig } from '@discovery-raft/raft-core';
import { NO_DISK_FAULTS } from '../disk/sim-disk.js';
import type { SimNetwork } from '../network/sim-network.js';
import type { SimNode } from '../node/sim-node.js';
import type { VirtualClock } from '../time/virtual-clock.js';
import type { Dice } from './dice.js';
import { LONGEST_RELOAD, type Scenario } from './scenario.js';

/** How the network is divided. An echo has to fall on a leader at the right time, so it comes more often. */
const DIVISIONS = [
  ...(['halves', 'isolate', 'bridge', 'oneWay', 'deaf', 'mute', 'random'] as const),
  ...(['strand', 'strand', 'echo', 'echo', 'echo', 'mumble'] as const),
];

/** Where leaders read by leases, what such reads can be wrong about comes as often as everything else. */
const DIVISIONS_WITH_LEASES = [
  ...DIVISIONS,
  ...(['drawl', 'drawl', 'drawl', 'drawl', 'behindItsBack', 'behindItsBack', 'behindItsBack'] as const),
];

/** How many times one thing is done, evenly over the time given for it. */
const STEPS = 12;

/** What the nemesis asks the simulation to do. */
export interface NemesisHands {
  crash(node: SimNode, outageMs: number): void;
  stop(node: SimNode, outageMs: number): void;
  transfer(node: SimNode, target: string | null): void;
  snapshot(node: SimNode): void;
  /** Replaces the state of the cluster, through this node. */
  restore(node: SimNode): void;
  /** Gives it other timeouts, until it is started again. */
  reload(node: SimNode, config: Partial<ReloadableConfig>): void;
  /** Many writes at once, at this node. */
  flood(node: SimNode): void;
  /** A write and a read at this node. */
  touch(node: SimNode): void;
  note(what: string, detail: string): void;
}

/** Brings the faults of a scenario about, each kind in its own rhythm. */
export class Nemesis {
  readonly #world: VirtualClock;
  readonly #network: SimNetwork;
  readonly #nodes: readonly SimNode[];
  readonly #scenario: Scenario;
  readonly #dice: Dice;
  readonly #hands: NemesisHands;
  #over = false;

  constructor(parts: {
    world: VirtualClock;
    network: SimNetwork;
    nodes: readonly SimNode[];
    scenario: Scenario;
    dice: Dice;
    hands: NemesisHands;
  }) {
    this.#world = parts.world;
    this.#network = parts.network;
    this.#nodes = parts.nodes;
    this.#scenario = parts.scenario;
    this.#dice = parts.dice;
    this.#hands = parts.hands;
  }

  get #config(): RaftConfig {
    return { ...DEFAULT_RAFT_CONFIG, ...this.#scenario.config };
  }

  /** Servers that are in use. */
  get #used(): readonly SimNode[] {
    return this.#nodes.filter(({ part }) => part === 'used');
  }

  start(): void {
    const { faults, links } = this.#scenario;
    Object.assign(this.#network.faults, links);
    for (const node of this.#used) this.infect(node);
    this.#often(faults.partitionEveryMs, () => this.#divide());
    this.#often(faults.crashEveryMs, () => this.#crash());
    this.#often(faults.pauseEveryMs, () => this.#pause());
    this.#often(faults.stallEveryMs, () => this.#stall());
    this.#often(faults.transferEveryMs, () => this.#transfer());
    this.#often(faults.reloadEveryMs, () => this.#reload());
    this.#often(this.#scenario.restoreEveryMs, () => this.#restore());
    if (faults.stuckMs > 0) this.#stickLater(this.#dice.between(0, 6000));
  }

  /** Makes a server's disk fail as the scenario has it, while there are faults. */
  infect({ disk }: SimNode): void {
    if (this.#over) return;
    const { writeFailure, readFailure, crashInWrite } = this.#scenario.faults;
    Object.assign(disk.faults, { writeFailure, readFailure, crash: crashInWrite });
  }

  /** No more faults; what is cut, stalled or paused is healed. */
  stop(): void {
    this.#over = true;
    Object.assign(this.#network.faults, this.#scenario.calm);
    this.#network.cuts.heal();
    this.#network.loseAll();
    for (const { disk, process } of this.#nodes) {
      Object.assign(disk.faults, NO_DISK_FAULTS);
      process?.clock.resume();
    }
  }

  #often(everyMs: number, act: () => void): void {
    if (everyMs === 0) return;
    this.#world.schedule(this.#dice.exponential(everyMs), () => {
      if (this.#over) return;
      if (this.#used.length > 0) act();
      this.#often(everyMs, act);
    });
  }

  #durationMs(): number {
    return this.#dice.exponential(this.#scenario.faults.durationMs);
  }

  /** The leader rather than another, since that is where it hurts. */
  #victim(leading = 0.5): SimNode {
    const leaders = this.#nodes.filter(({ raft }) => raft?.state === 'leader');
    return leaders.length > 0 && this.#dice.chance(leading) ? this.#dice.pick(leaders) : this.#dice.pick(this.#used);
  }

  #divide(): void {
    const { cuts } = this.#network;
    const all = this.#used.map(({ id }) => id);
    const mixed = this.#dice.shuffle(all);
    const at = this.#dice.int(1, all.length - 1);
    const victim = this.#victim().id;
    const kind = this.#dice.pick(this.#config.readMode === 'lease' ? DIVISIONS_WITH_LEASES : DIVISIONS);
    this.#hands.note('divide', `${kind} ${mixed.slice(0, at).join(' ')} | ${mixed.slice(at).join(' ')}, ${victim}`);
    switch (kind) {
      case 'halves':
        cuts.partition([mixed.slice(0, at), mixed.slice(at)], all);
        break;
      case 'isolate':
        cuts.partition([[victim], all.filter((id) => id !== victim)], all);
        // A leader that nobody hears gathers entries that will never be committed.
        if (this.#dice.chance(0.5)) this.#flood(this.#nodes.find(({ id }) => id === victim)!);
        break;
      case 'bridge':
        cuts.partition([mixed.slice(0, at + 1), mixed.slice(at)], all);
        break;
      case 'oneWay':
        for (const from of mixed.slice(0, at)) for (const to of mixed.slice(at)) cuts.cutOneWay(from, to);
        break;
      case 'deaf':
        for (const from of all) cuts.cutOneWay(from, victim);
        break;
      case 'mute':
        for (const to of all) cuts.cutOneWay(victim, to);
        break;
      case 'echo':
        return this.#echo(this.#victim(1).id, all);
      case 'strand':
        return this.#strand(this.#victim(1), all);
      case 'mumble':
        return this.#mumble(this.#victim(1), all);
      case 'drawl':
        return this.#drawl(this.#victim(1), all);
      case 'behindItsBack':
        return this.#behindItsBack(this.#victim(1), all);
      case 'random':
        for (const from of all) for (const to of all) if (this.#dice.chance(0.3)) cuts.cutOneWay(from, to);
        break;
    }
    this.#healAfter(this.#durationMs());
  }

  #healAfter(ms: number): void {
    this.#world.schedule(ms, () => {
      if (this.#over) return;
      this.#network.cuts.heal();
      this.#hands.note('heal', '');
    });
  }

  /**
   * A leader gathers entries that will never be committed, and returns into an election: its disk is slow then, and what it
   * hears it hears twice, so that its own entries, another leader's and the vote are on their way to the disk at once.
   */
  #strand(victim: SimNode, all: readonly string[]): void {
    const { cuts, faults } = this.#network;
    const { heartbeatTimeoutMs } = this.#config;
    cuts.partition([[victim.id], all.filter((id) => id !== victim.id)], all);
    this.#hands.flood(victim);
    this.#world.schedule(heartbeatTimeoutMs * this.#dice.between(2.5, 4), () => {
      if (this.#over) return;
      cuts.heal();
      this.#hands.note('heal', victim.id);
      this.#slowDown(victim);
      faults.duplication = 0.5;
      const leader = this.#nodes.find((node) => node !== victim && node.raft?.state === 'leader');
      if (leader !== undefined) this.#hands.transfer(leader, null);
      this.#world.schedule(heartbeatTimeoutMs, () => {
        if (!this.#over) faults.duplication = this.#scenario.links.duplication;
      });
    });
  }

  /** A server falls silent and still hears the answers to what it sent long ago: a leader believes it is followed. */
  #echo(victim: string, all: readonly string[]): void {
    const { cuts } = this.#network;
    const { electionTimeoutMs, rpcTimeoutMs } = this.#config;
    // What comes later than that is not taken for an answer any more.
    const lagMs = Math.min(electionTimeoutMs * this.#dice.between(2, 6), rpcTimeoutMs * 0.95);
    cuts.lag(victim, lagMs);
    this.#world.schedule(lagMs * this.#dice.between(0.1, 0.7), () => {
      if (!this.#over) for (const to of all) cuts.cutOneWay(victim, to);
    });
    this.#healAfter(lagMs * this.#dice.between(1.5, 3));
  }

  /**
   * A leader with a slow disk is heard by nobody, and hears who is elected in its place: its entries, the new term and the
   * entry that takes the place of the first of them are on their way to its disk one behind the other.
   */
  #mumble(victim: SimNode, all: readonly string[]): void {
    const { heartbeatTimeoutMs, electionTimeoutMs } = this.#config;
    for (const to of all) this.#network.cuts.cutOneWay(victim.id, to);
    victim.disk.faults.slowedByMs = heartbeatTimeoutMs * this.#dice.between(0.1, 0.4);
    victim.disk.faults.slowedUntilMs = this.#world.now + 3 * electionTimeoutMs;
    this.#touchFor(victim, 2 * electionTimeoutMs);
    this.#healAfter(3 * electionTimeoutMs);
  }

  /**
   * What is sent to a leader arrives later and later, so that it never hears nothing; then it falls silent, and goes on
   * hearing how it was followed, long after it was replaced.
   */
  #drawl(victim: SimNode, all: readonly string[]): void {
    const { cuts } = this.#network;
    const { electionTimeoutMs, rpcTimeoutMs } = this.#config;
    const lagMs = Math.min(electionTimeoutMs * this.#dice.between(2, 4), rpcTimeoutMs * 0.9);
    const growMs = 1.5 * lagMs;
    for (let i = 1; i <= STEPS; i++) {
      this.#world.schedule((growMs * i) / STEPS, () => {
        if (!this.#over) cuts.lag(victim.id, (lagMs * i) / STEPS);
      });
    }
    this.#world.schedule(growMs, () => {
      if (this.#over) return;
      for (const to of all) cuts.cutOneWay(victim.id, to);
      this.#touchFor(victim, lagMs + electionTimeoutMs);
    });
    this.#healAfter(growMs + lagMs + electionTimeoutMs);
  }

  /** A leader hands over to a server that is heard by all but itself, as long as it must think that it is followed. */
  #behindItsBack(victim: SimNode, all: readonly string[]): void {
    const { electionTimeoutMs } = this.#config;
    this.#hands.transfer(victim, null);
    for (const from of all) this.#network.cuts.cutOneWay(from, victim.id);
    this.#touchFor(victim, electionTimeoutMs);
    this.#healAfter(electionTimeoutMs * this.#dice.between(1, 2));
  }

  /** Writes and reads at a server that may lead no longer, for so long. */
  #touchFor(node: SimNode, ms: number): void {
    for (let i = 0; i < STEPS; i++) {
      this.#world.schedule((ms * i) / STEPS, () => {
        if (!this.#over) this.#hands.touch(node);
      });
    }
  }

  #crash(): void {
    const many = this.#dice.chance(0.15) ? this.#dice.int(2, this.#used.length) : 1;
    const victims = many === 1 ? [this.#victim()] : this.#dice.shuffle(this.#used).slice(0, many);
    const gentle = this.#dice.chance(0.2);
    for (const victim of victims) {
      if (gentle) this.#hands.stop(victim, this.#durationMs());
      else this.#hands.crash(victim, this.#durationMs());
    }
  }

  #pause(): void {
    const { id, process } = this.#victim();
    if (process === null || process.clock.paused) return;
    this.#hands.note('pause', id);
    process.clock.pause();
    this.#world.schedule(this.#durationMs(), () => process.clock.resume());
  }

  #stall(): void {
    const node = this.#victim();
    if (this.#dice.chance(0.4)) return this.#slowDown(node);
    this.#hands.note('stall', node.id);
    node.disk.faults.stalledUntilMs = this.#world.now + this.#durationMs();
  }

  /** Each write of a disk takes long for a while, so that much happens between two of them. */
  #slowDown({ id, disk }: SimNode): void {
    this.#hands.note('slow down', id);
    disk.faults.slowedByMs = this.#config.heartbeatTimeoutMs * this.#dice.between(0.02, 0.2);
    disk.faults.slowedUntilMs = this.#world.now + this.#durationMs() * 2;
  }

  /** Many writes at once, of which the disk may not get far before another leader's come. */
  #flood(node: SimNode): void {
    if (this.#dice.chance(0.5)) this.#slowDown(node);
    this.#hands.flood(node);
  }

  /** A leader's disk stands still until it must have given up. */
  #stickLater(ms: number): void {
    this.#world.schedule(ms, () => {
      if (this.#over) return;
      const leader = this.#nodes.find(({ raft }) => raft?.state === 'leader');
      if (leader === undefined) return this.#stickLater(this.#config.heartbeatTimeoutMs);
      this.#hands.note('stick', leader.id);
      leader.disk.faults.stalledUntilMs = this.#world.now + this.#scenario.faults.stuckMs;
    });
  }

  #restore(): void {
    const leaders = this.#nodes.filter(({ raft }) => raft?.state === 'leader');
    if (leaders.length > 0) this.#hands.restore(this.#dice.pick(leaders));
  }

  #reload(): void {
    const { heartbeatTimeoutMs, electionTimeoutMs, leaderLeaseTimeoutMs } = this.#config;
    const least = Math.max(heartbeatTimeoutMs * 0.7, leaderLeaseTimeoutMs);
    const beat = Math.ceil(this.#dice.between(least, heartbeatTimeoutMs * LONGEST_RELOAD));
    this.#hands.reload(this.#dice.pick(this.#used), {
      heartbeatTimeoutMs: beat,
      electionTimeoutMs: Math.max(beat, Math.floor(electionTimeoutMs * this.#dice.between(1, LONGEST_RELOAD))),
      trailingLogs: this.#dice.pick([1, 20]),
      snapshotThreshold: this.#dice.pick([5, 20]),
    });
  }

  #transfer(): void {
    const leader = this.#nodes.find(({ raft }) => raft?.state === 'leader');
    if (leader === undefined) return;
    if (this.#dice.chance(0.3)) return this.#hands.snapshot(this.#dice.pick(this.#used));
    this.#hands.transfer(leader, this.#dice.chance(0.5) ? null : this.#dice.pick(this.#used).id);
  }
}
