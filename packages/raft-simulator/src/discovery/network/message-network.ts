import type { DiscoveryMessage } from '@discovery-raft/discovery-consensus-fsm';
import type { Cuts, LinkFaults } from '../../network/link-faults.js';
import type { Dice } from '../../scenario/dice.js';
import type { VirtualClock } from '../../time/virtual-clock.js';

/** Hands a message to the process that runs at `to`, if one does. */
export type Deliver = (from: string, to: string, message: DiscoveryMessage) => void;

/**
 * Carries discovery messages between nodes, in virtual time and with the faults and cuts that Raft's packets have too.
 * Who a message is from cannot be forged: links are authenticated.
 */
export class MessageNetwork {
  readonly #world: VirtualClock;
  readonly #dice: Dice;
  readonly #faults: LinkFaults;
  readonly #cuts: Cuts;
  readonly #deliver: Deliver;
  #era = 0;

  constructor(parts: { world: VirtualClock; dice: Dice; faults: LinkFaults; cuts: Cuts; deliver: Deliver }) {
    this.#world = parts.world;
    this.#dice = parts.dice;
    this.#faults = parts.faults;
    this.#cuts = parts.cuts;
    this.#deliver = parts.deliver;
  }

  /** Everything that is under way is lost: what the faults have delayed must not reach into a time without faults. */
  loseAll(): void {
    this.#era++;
  }

  /** Whether a link stands, as far as the sender can tell. */
  stands(a: string, b: string): boolean {
    return this.#cuts.passes(a, b) || this.#cuts.passes(b, a);
  }

  /** @returns false when the sender is told at once that nobody is there */
  send(from: string, to: string, message: DiscoveryMessage): boolean {
    if (!this.stands(from, to) && this.#dice.chance(0.5)) return false;
    const era = this.#era;
    const copies = this.#dice.chance(this.#faults.duplication) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      if (this.#dice.chance(this.#faults.loss) || !this.#cuts.passes(from, to)) continue;
      this.#world.schedule(this.#delayMs() + this.#cuts.lagMs(to), () => {
        if (era === this.#era && this.#cuts.passes(from, to)) this.#deliver(from, to, message);
      });
    }
    return true;
  }

  #delayMs(): number {
    const { delayMs, longDelay, longDelayMs } = this.#faults;
    if (this.#dice.chance(longDelay)) return this.#dice.between(0, longDelayMs);
    return delayMs / 2 + this.#dice.exponential(delayMs / 2);
  }
}
