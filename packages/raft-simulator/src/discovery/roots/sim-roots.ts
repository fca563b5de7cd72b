import type { RootPromise, Roster, RosterSource } from '@discovery-raft/discovery-consensus-fsm';
import { creationOf } from '../calendar.js';
import { sha256 } from '../crypto/keyring.js';
import { identityOf } from '../crypto/packets.js';
import type { RootPlan } from './root-plan.js';

/** What a node asks others for. */
export interface RootRumour {
  /** The node that lacks a root. */
  readonly learner: string;
  /** The node that has it, or says so. */
  readonly teacher: string;
}

/**
 * The trust roots of a simulation, and which node has heard of which. The second one exists once a quorum of the first has
 * signed it. What a node knows is on its disk.
 */
export class SimRoots {
  readonly first: Roster;
  /** Null when there is none to come. */
  readonly next: Roster | null;
  /** What is signed of it. */
  readonly bytes: Uint8Array;
  /** A quorum has signed the next root, and anybody may hear of it. */
  isPublished = false;
  readonly #known = new Set<string>();
  /** By node: what its present process wants to be told by. */
  readonly #listeners = new Map<string, Set<() => void>>();
  readonly #rumour: (rumour: RootRumour) => void;

  /**
   * @param names of all nodes, also of one that is to come
   * @param rumour a node has heard that another knows more
   */
  constructor(names: readonly string[], plan: RootPlan | null, rumour: (rumour: RootRumour) => void) {
    this.#rumour = rumour;
    const roster = (version: number, activation: number, without: string | null): Roster => ({
      version,
      activation,
      members: names
        .filter((name) => name !== without)
        .map((name) => ({ identity: identityOf(name, 'discovery'), fingerprint: `${version} ${name}` })),
    });
    this.first = roster(1, 0, plan?.change === 'add' ? plan.node : null);
    this.next =
      plan === null ? null : roster(2, creationOf(plan.activationSlot), plan.change === 'remove' ? plan.node : null);
    this.bytes = new TextEncoder().encode(`the next trust root: ${JSON.stringify(this.next)}`);
  }

  /** What a node promises that signs the next root. */
  get promise(): RootPromise {
    const { version, activation } = this.next!;
    return { version, activation, digest: sha256(this.bytes) };
  }

  /** The roots that a node knows. */
  rostersOf(id: string): readonly Roster[] {
    return this.next !== null && this.#known.has(id) ? [this.first, this.next] : [this.first];
  }

  /** The roots as a new process of a node sees them; the one before hears nothing any more. */
  sourceOf(id: string): RosterSource {
    const listeners = new Set<() => void>();
    this.#listeners.set(id, listeners);
    return {
      rosters: () => this.rostersOf(id),
      onChanged: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      missing: (peer) => this.#rumour({ learner: id, teacher: peer }),
      outdated: (peer) => this.#rumour({ learner: peer, teacher: id }),
    };
  }

  /** A node hears of the next root. @returns false when it knew of it, or there is none yet */
  learn(id: string): boolean {
    if (!this.isPublished || this.#known.has(id)) return false;
    this.#known.add(id);
    return true;
  }

  /** Tells the running process of a node; to be called inside of it. */
  tell(id: string): void {
    for (const listener of [...(this.#listeners.get(id) ?? [])]) listener();
  }
}
