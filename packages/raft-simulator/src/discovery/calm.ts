import type { Journal } from '../journal.js';
import type { VirtualClock } from '../time/virtual-clock.js';
import { SLOT_SECONDS, slotStartMs } from './calendar.js';
import type { DiscoveryChecker } from './checkers/checker.js';
import type { DiscoverySimNode, DiscoveryProcess, NodeWorld } from './node/discovery-node.js';
import type { DiscoveryNemesis } from './nemesis.js';
import type { RootChange } from './roots/root-change.js';

/** Slots at the end in which everything must work. */
const GOOD_SLOTS = 2;
/** So long after a good slot has begun, its directory must be everywhere; by then no clock is in the next slot. */
const GOOD_WITHIN_MS = 10_000;
/** Within so many slots without faults an honest node must lead. */
const ELECTION_SLOTS = 4;
/** A lying leader is switched off for so long. */
const REMEDY_MS = 4000;
/** How long an honest node must have led before a slot is expected to succeed. */
const STABLE_MS = 5000;

/** What {@link Calm} needs of its simulation. */
export interface CalmParts {
  readonly world: VirtualClock;
  readonly journal: Journal;
  readonly nodes: readonly DiscoverySimNode[];
  readonly checkers: readonly DiscoveryChecker[];
  readonly nemesis: DiscoveryNemesis;
  readonly rootChange: RootChange;
  readonly networks: Pick<NodeWorld, 'raftNetwork' | 'network'>;
  /** Switches a node off for a time. */
  crash(node: DiscoverySimNode, outageMs: number): void;
  /** A process of an honest or lying node has ended for good. */
  died(node: DiscoverySimNode, process: DiscoveryProcess): void;
}

/**
 * The end of a run: the faults are over, but not the lies. Once an honest node leads, the second slot from then on must be
 * good, and every later one.
 */
export class Calm {
  readonly #parts: CalmParts;
  /** Who leads, and since when. */
  #reign: { readonly leader: DiscoverySimNode; readonly sinceMs: number } | null = null;

  constructor(parts: CalmParts) {
    this.#parts = parts;
  }

  /** @returns whether there could be rounds at all: false when too few have signed the next trust root in time */
  async run(): Promise<boolean> {
    const { world, journal, nodes, networks, nemesis, rootChange } = this.#parts;
    journal.note('sim', 'faults over');
    networks.raftNetwork.loseAll();
    networks.network.loseAll();
    nemesis.stop();
    if (!rootChange.settle()) {
      journal.note('sim', 'too few have signed the trust root in time: there can be no rounds');
      return false;
    }
    for (const node of nodes) {
      if (this.#present.includes(node)) node.start();
      else if (node.process !== null) this.#switchOff(node, node.process);
    }
    const limitMs = world.now + ELECTION_SLOTS * SLOT_SECONDS * 1000;
    await this.#until(limitMs, () => this.#honestLeads());
    if (journal.violation !== null) return true;
    if (this.#honestLeads()) await this.#goodSlots();
    else journal.report('liveness', 'somebody leads', `no honest leader ${ELECTION_SLOTS} slots after the faults`);
    return true;
  }

  async #goodSlots(): Promise<void> {
    const { world, journal, checkers } = this.#parts;
    // A node whose clock was ahead has promised not to sign again until the time that it took for the present has come.
    const promised = this.#present.map(({ honest, directoryDisk }) =>
      honest ? (directoryDisk.signed?.round ?? 0) : 0,
    );
    const promisedUntil = Math.max(...promised);
    const first = Math.max(Math.floor(world.now / 1000 / SLOT_SECONDS) + 2, promisedUntil + 1);
    for (let slot = first; slot < first + GOOD_SLOTS && journal.violation === null; slot++) {
      await this.#until(slotStartMs(slot) + GOOD_WITHIN_MS);
      if (journal.violation !== null) return;
      journal.note('sim', 'good slot ends', [slot]);
      for (const checker of checkers) checker.goodSlot?.(slot);
    }
  }

  /**
   * Whether an honest node leads and all have followed it for a while: a transfer that began during the faults may still be
   * under way. A lying leader is switched off for a time, as its operator would.
   */
  #honestLeads(): boolean {
    const { world, nodes } = this.#parts;
    const leader = nodes.find((node) => node.leads);
    if (leader !== this.#reign?.leader) this.#reign = null;
    if (leader === undefined) return false;
    if (!leader.honest) {
      if (this.#present.every((node) => node.process !== null)) this.#parts.crash(leader, REMEDY_MS);
      return false;
    }
    if (!this.#present.every(({ raft }) => raft?.leader?.id === leader.id)) return false;
    if (this.#reign?.leader !== leader) this.#reign = { leader, sinceMs: world.now };
    return world.now - this.#reign.sinceMs >= STABLE_MS;
  }

  /** The nodes of the root in force. The faults end after the activation of the next one. */
  get #present(): readonly DiscoverySimNode[] {
    return this.#parts.rootChange.present(this.#parts.nodes);
  }

  /** A node that is none any more stops by itself. */
  #switchOff(node: DiscoverySimNode, process: DiscoveryProcess): void {
    this.#parts.journal.note(node.plan.name, 'is no node any more, and stops');
    node.kill();
    this.#parts.died(node, process);
  }

  #until(endMs: number, done: () => boolean = () => false): Promise<void> {
    const { world, journal } = this.#parts;
    return world.run(
      endMs,
      () => undefined,
      () => journal.violation !== null || done(),
    );
  }
}
