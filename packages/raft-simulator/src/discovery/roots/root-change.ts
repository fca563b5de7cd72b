import { Dice } from '../../scenario/dice.js';
import type { VirtualClock } from '../../time/virtual-clock.js';
import { secondsAt } from '../calendar.js';
import { CheckedCommittees, type CheckedCommittee } from '../checkers/committees.js';
import type { DiscoverySimNode } from '../node/discovery-node.js';
import type { DiscoveryScenario } from '../scenario.js';
import { RootOperator, type RootOperatorParts } from './root-operator.js';
import { SimRoots } from './sim-roots.js';

/** The trust roots of a run, who moves them, and whose rounds are whose. */
export class RootChange {
  readonly roots: SimRoots;
  readonly committees: CheckedCommittees;
  readonly #scenario: DiscoveryScenario;
  readonly #world: VirtualClock;
  #operator: RootOperator | null = null;

  constructor(scenario: DiscoveryScenario, world: VirtualClock) {
    this.#scenario = scenario;
    this.#world = world;
    const names = scenario.nodes.map(({ name }) => name);
    this.roots = new SimRoots(names, scenario.root, (rumour) => this.#operator?.heard(rumour));
    const { first, next } = this.roots;
    this.committees = new CheckedCommittees(next === null ? [first] : [first, next], scenario.policy);
  }

  /** Begins what the scenario says, if it says something. */
  start(parts: Pick<RootOperatorParts, 'nodes' | 'passes' | 'note'>): void {
    const { root: plan, seed } = this.#scenario;
    if (plan === null) return;
    const dice = new Dice(seed ^ 0x51ed270b);
    this.#operator = new RootOperator({ ...parts, plan, dice, roots: this.roots, world: this.#world });
    this.#operator.start();
  }

  /**
   * The faults are over: everybody hears of what was published.
   *
   * @returns false when too few have signed the next root in time, so that no root has a quorum any more
   */
  settle(): boolean {
    this.#operator?.tellAll();
    return this.#operator?.isStuck !== true;
  }

  /** Whose root decides a round that is created then, Unix seconds. */
  readonly committeeAt = (creation: number): CheckedCommittee => {
    const next = this.committees.of(2);
    return next !== undefined && this.roots.isPublished && creation >= next.activation ? next : this.committees.of(1)!;
  };

  /** Whether a node is there from the start. */
  isOfFirst({ id }: DiscoverySimNode): boolean {
    return this.committees.of(1)!.members.has(id);
  }

  /** Those of the nodes that the root in force names. */
  present(nodes: readonly DiscoverySimNode[]): readonly DiscoverySimNode[] {
    const { members } = this.committeeAt(secondsAt(this.#world.now));
    return nodes.filter(({ id }) => members.has(id));
  }
}
