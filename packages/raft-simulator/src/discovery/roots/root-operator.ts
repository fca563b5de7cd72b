import type { Dice } from '../../scenario/dice.js';
import type { VirtualClock } from '../../time/virtual-clock.js';
import { quorumOf } from '../checkers/quorum.js';
import type { DiscoverySimNode } from '../node/discovery-node.js';
import type { RootPlan } from './root-plan.js';
import type { RootRumour, SimRoots } from './sim-roots.js';

/** How often nodes that have not signed are asked again, and how often a leader looks whether it should go. */
const LOOK_EVERY_MS = 700;
/** Mean time until a node that asked another for a root has it. */
const ASKED_MS = 60;

/** What {@link RootOperator} works on. */
export interface RootOperatorParts {
  readonly plan: RootPlan;
  readonly roots: SimRoots;
  readonly world: VirtualClock;
  readonly dice: Dice;
  readonly nodes: readonly DiscoverySimNode[];
  /** Whether a message from one node to another would get through. */
  readonly passes: (from: string, to: string) => boolean;
  readonly note: (what: string, detail: string) => void;
}

/**
 * The people who change the trust root: they have a quorum of the old root's nodes sign the next one, and publish it. From
 * there it spreads, to some nodes late. A leader that is to go hands over, as Raft's membership has it do.
 */
export class RootOperator {
  readonly #parts: RootOperatorParts;
  /** Who has signed the next root. */
  readonly #signed = new Set<string>();

  constructor(parts: RootOperatorParts) {
    this.#parts = parts;
  }

  start(): void {
    const { world, plan } = this.#parts;
    world.schedule(plan.signedFromMs, () => this.#look());
  }

  /** Some have signed, so that they sign nothing by the old root any more; and not enough for the next root to be. */
  get isStuck(): boolean {
    const { nodes, roots } = this.#parts;
    // A node that died when it had signed has promised all the same.
    return !roots.isPublished && nodes.some(({ directoryDisk }) => directoryDisk.promise !== null);
  }

  /** Everybody hears of the root now. */
  tellAll(): void {
    for (const { id } of this.#parts.nodes) this.#learn(id);
  }

  /** A node has heard that another knows more than it does. */
  heard({ learner, teacher }: RootRumour): void {
    const { roots, world, dice, passes } = this.#parts;
    // A liar may speak of roots that there are not.
    if (roots.rostersOf(teacher).length < 2) return;
    world.schedule(dice.exponential(ASKED_MS), () => {
      if (passes(teacher, learner)) this.#learn(learner);
    });
  }

  #look(): void {
    const { world, roots } = this.#parts;
    if (!roots.isPublished) for (const node of this.#parts.nodes) this.#ask(node);
    this.#handOver();
    world.schedule(LOOK_EVERY_MS, () => this.#look());
  }

  #ask(node: DiscoverySimNode): void {
    const { roots } = this.#parts;
    const { process } = node;
    const isOfTheFirst = roots.first.members.some(({ identity }) => identity === node.id);
    if (process === null || process.raft === null || this.#signed.has(node.id) || !isOfTheFirst) return;
    process.clock.run(() => {
      void process.consensus.signTrustRoot(roots.promise, roots.bytes).then((result) => {
        if (node.process !== process || !result.ok) return;
        this.#signed.add(node.id);
        if (this.#signed.size === quorumOf(roots.first.members.length, 'safe')) this.#publish();
      });
    });
  }

  #publish(): void {
    const { roots, nodes, world, dice, plan, note } = this.#parts;
    note('publishes a trust root', `${plan.change} ${plan.node ?? ''}, from slot ${plan.activationSlot} on`);
    roots.isPublished = true;
    for (const { id } of nodes) world.schedule(dice.exponential(plan.learnMs), () => this.#learn(id));
  }

  #learn(id: string): void {
    const { roots, nodes, note, plan } = this.#parts;
    if (!roots.learn(id)) return;
    const node = nodes.find((other) => other.id === id)!;
    note('tells of the trust root', node.plan.name);
    if (node.process !== null) node.process.clock.run(() => roots.tell(id));
    else if (node.plan.name === plan.node && plan.change === 'add') node.start();
  }

  #handOver(): void {
    const { roots, nodes } = this.#parts;
    const stays = (id: string): boolean =>
      roots
        .rostersOf(id)
        .at(-1)!
        .members.some(({ identity }) => identity === id);
    const leader = nodes.find((node) => node.leads && !stays(node.id));
    const process = leader?.process;
    if (leader === undefined || process === null || process === undefined) return;
    const heir = nodes.find((node) => node !== leader && node.process !== null);
    process.clock.run(() => void process.raft?.leadershipTransfer(heir?.id).catch(() => undefined));
  }
}
