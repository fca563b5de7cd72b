import type { Dice } from '../../scenario/dice.js';
import type { VirtualClock } from '../../time/virtual-clock.js';
import { secondsAt, SLOT_SECONDS, slotStartMs } from '../calendar.js';
import type { Keyring } from '../crypto/keyring.js';
import { identityOf, makeItem, makePacket } from '../crypto/packets.js';
import type { DiscoverySimNode } from '../node/discovery-node.js';

/** Versions of an item with one expiration. */
const MOST_VERSIONS = 3;

/** What these publishers need of the world. */
export interface DividingParts {
  readonly count: number;
  readonly world: VirtualClock;
  readonly dice: Dice;
  readonly ring: Keyring;
  readonly nodes: readonly DiscoverySimNode[];
  /** Brings a packet to a node. */
  readonly send: (source: string, node: DiscoverySimNode, packet: Uint8Array, confirmed: boolean) => void;
}

/** Publishers that give nodes different packets of one expiration, by mistake or to divide them. */
export class DividingPublishers {
  readonly #parts: DividingParts;

  constructor(parts: DividingParts) {
    this.#parts = parts;
  }

  start(): void {
    const { count, world, dice } = this.#parts;
    for (let i = 1; i <= count; i++) {
      world.schedule(dice.between(3000, slotStartMs(2)), () => this.#refresh(`v${i}`));
    }
  }

  /** Publishes the versions of an item, one to each node, and comes back before it expires. */
  #refresh(name: string): void {
    const { world, dice, nodes, ring, send } = this.#parts;
    const identity = identityOf(name, 'onion');
    const seconds = dice.int(2 * SLOT_SECONDS, 6 * SLOT_SECONDS);
    const expiration = Math.floor(secondsAt(world.now)) + seconds;
    const key = ring.key(identity);
    const versions = Array.from({ length: dice.int(2, MOST_VERSIONS) }, (_, i) =>
      makePacket(key, makeItem(identity, expiration, `203.0.113.${i + 1}:7`)),
    );
    for (const node of nodes) {
      const packet = dice.pick(versions);
      const confirmed = dice.chance(0.7);
      world.schedule(dice.exponential(100), () => send(name, node, packet, confirmed));
    }
    world.schedule(dice.between(0.3, 0.8) * seconds * 1000, () => this.#refresh(name));
  }
}
