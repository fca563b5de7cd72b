import type { Cuts, LinkFaults } from '../network/link-faults.js';
import type { Dice } from '../scenario/dice.js';
import type { VirtualClock } from '../time/virtual-clock.js';
import { SLOT_SECONDS } from './calendar.js';
import type { DiscoverySimNode } from './node/discovery-node.js';
import type { DiscoveryScenario } from './scenario.js';

/** What the nemesis can do to the network that others have to know of. */
export interface NemesisHands {
  crash(node: DiscoverySimNode, outageMs: number): void;
  setClock(node: DiscoverySimNode, skewSeconds: number): void;
  note(what: string, detail: string): void;
}

/** Breaks machines and links, until it is told to stop. */
export class DiscoveryNemesis {
  readonly #parts: {
    readonly scenario: DiscoveryScenario;
    readonly world: VirtualClock;
    readonly dice: Dice;
    readonly nodes: readonly DiscoverySimNode[];
    readonly cuts: Cuts;
    /** Of the links; the two networks read them. */
    readonly links: LinkFaults;
    readonly hands: NemesisHands;
  };
  #stopped = false;

  constructor(parts: {
    scenario: DiscoveryScenario;
    world: VirtualClock;
    dice: Dice;
    nodes: readonly DiscoverySimNode[];
    cuts: Cuts;
    links: LinkFaults;
    hands: NemesisHands;
  }) {
    this.#parts = parts;
  }

  start(): void {
    const { scenario, nodes, dice, links } = this.#parts;
    const { faults } = scenario;
    Object.assign(links, scenario.links);
    for (const node of nodes) node.directoryDisk.failure = faults.storeFailure;
    this.#every(faults.partitionEveryMs, () => this.#partition());
    this.#every(faults.crashEveryMs, () => this.#crash(dice.pick(nodes)));
    this.#every(faults.transferEveryMs, () => this.#transfer());
    this.#every(faults.clockEveryMs, () => this.#moveClock());
  }

  /** Everything is as it should be from now on, as far as machines and links go. */
  stop(): void {
    const { scenario, nodes, cuts, links } = this.#parts;
    this.#stopped = true;
    Object.assign(links, scenario.calm);
    cuts.heal();
    for (const node of nodes) {
      node.directoryDisk.failure = 0;
      node.setClock(node.plan.calmSkewSeconds);
    }
  }

  /** An honest node has come to a step of a round. */
  step(node: DiscoverySimNode): void {
    const { scenario, dice, world } = this.#parts;
    if (this.#stopped || !dice.chance(scenario.faults.crashAtStep)) return;
    // Not within the step itself: a machine loses its power between two instructions.
    const { process } = node;
    world.schedule(0, () => {
      if (node.process !== process || process === null) return;
      // Mostly for a moment only, so that it is back while the round goes on.
      if (dice.chance(0.7)) this.#parts.hands.crash(node, dice.between(20, 600));
      else this.#crash(node);
    });
  }

  #every(meanMs: number, act: () => void): void {
    if (meanMs === 0) return;
    const { world, dice } = this.#parts;
    world.schedule(dice.exponential(meanMs), () => {
      if (this.#stopped) return;
      act();
      this.#every(meanMs, act);
    });
  }

  #crash(node: DiscoverySimNode): void {
    const { dice, scenario, hands } = this.#parts;
    hands.crash(node, dice.chance(0.4) ? dice.between(20, 400) : dice.exponential(scenario.faults.durationMs));
  }

  #partition(): void {
    const { dice, nodes, cuts, world, scenario, hands } = this.#parts;
    const ids = dice.shuffle(nodes.map(({ id }) => id));
    const kind = dice.pick(['split', 'split', 'isolate', 'oneWay'] as const);
    if (kind === 'oneWay') {
      const [a, b] = [ids[0]!, ids[1]!];
      cuts.cutOneWay(a, b);
    } else {
      const first = kind === 'isolate' ? 1 : dice.int(1, ids.length - 1);
      for (const a of ids.slice(0, first)) for (const b of ids.slice(first)) cuts.cut(a, b);
    }
    hands.note('cuts', kind);
    world.schedule(dice.exponential(scenario.faults.durationMs), () => cuts.heal());
  }

  #transfer(): void {
    const { nodes, hands } = this.#parts;
    const leader = nodes.find((node) => node.leads);
    const { process } = leader ?? {};
    if (leader === undefined || process === null || process === undefined) return;
    hands.note('transfers', leader.plan.name);
    process.clock.run(() => void process.raft?.leadershipTransfer().catch(() => undefined));
  }

  #moveClock(): void {
    const { dice, nodes, hands } = this.#parts;
    const node = dice.pick(nodes);
    hands.setClock(node, dice.between(-1, 1) * dice.pick([1, SLOT_SECONDS]));
  }
}
