import { create } from '@bufbuild/protobuf';
import type { PublishOutcome } from '@discovery-raft/discovery-consensus-fsm';
import { PublishToDiscoverySchema } from '@discovery-raft/protocol';
import type { Dice } from '../../scenario/dice.js';
import type { VirtualClock } from '../../time/virtual-clock.js';
import { secondsAt, SLOT_SECONDS, slotStartMs } from '../calendar.js';
import { ALWAYS, type Keyring, type Period } from '../crypto/keyring.js';
import { identityOf, joinPacket, makeItem, makePacket, VERSION } from '../crypto/packets.js';
import type { DiscoverySimNode } from '../node/discovery-node.js';
import type { OutsidePlan } from '../scenario.js';
import type { Receipt } from '../checkers/checker.js';
import { DividingPublishers } from './dividing-publishers.js';

/** Everybody outside: publishers that refresh their items, those that flood a node, those that send rubbish. */
export class Outside {
  readonly #parts: {
    readonly plan: OutsidePlan;
    readonly world: VirtualClock;
    readonly dice: Dice;
    /** Of publishers that divide the nodes: what others do stays as it was. */
    readonly dividingDice: Dice;
    readonly ring: Keyring;
    readonly nodes: readonly DiscoverySimNode[];
    readonly receipt: (receipt: Receipt) => void;
  };
  #flooded = 0;
  #requestID = 0n;

  constructor(parts: {
    plan: OutsidePlan;
    world: VirtualClock;
    dice: Dice;
    dividingDice: Dice;
    ring: Keyring;
    nodes: readonly DiscoverySimNode[];
    receipt: (receipt: Receipt) => void;
  }) {
    this.#parts = parts;
  }

  start(): void {
    const { plan, world, dice } = this.#parts;
    for (let i = 1; i <= plan.publishers; i++) {
      world.schedule(dice.between(3000, slotStartMs(2)), () => this.#refresh(`p${i}`));
    }
    for (let i = 1; i <= plan.dated; i++)
      world.schedule(dice.between(3000, slotStartMs(8)), () => this.#dated(`t${i}`));
    if (plan.floodPerSlot > 0) this.#floodNext(dice.pick(this.#parts.nodes), 1);
    if (plan.trashPerSlot > 0) this.#trashNext();
    const { dividingDice, ring, nodes } = this.#parts;
    new DividingPublishers({
      ...{ count: plan.dividing, world, dice: dividingDice, ring, nodes },
      send: (source, node, packet, confirmed) => this.#send(source, node, packet, confirmed),
    }).start();
  }

  /** Publishes an item and comes back before it expires. */
  #refresh(name: string): void {
    const { world, dice } = this.#parts;
    const seconds = dice.int(2 * SLOT_SECONDS, 6 * SLOT_SECONDS);
    this.#publish(name, Math.floor(secondsAt(world.now)) + seconds, ALWAYS);
    world.schedule(dice.between(0.3, 0.8) * seconds * 1000, () => this.#refresh(name));
  }

  /** A certificate that begins to hold, or ceases to, while a round is under way. */
  #dated(name: string): void {
    const { world, dice } = this.#parts;
    const now = Math.floor(secondsAt(world.now));
    const edge = now - (now % SLOT_SECONDS) + SLOT_SECONDS * dice.int(1, 3) + dice.pick([-1, 0, 0, 1, 2]);
    const begins = dice.chance(0.5);
    const period = begins ? { notBefore: edge, notAfter: ALWAYS.notAfter } : { notBefore: 0, notAfter: edge };
    const publish = (): void => this.#publish(name, edge + SLOT_SECONDS * 4, period);
    if (begins) world.schedule((edge - now) * 1000 + dice.int(0, 1500), publish);
    else publish();
  }

  #publish(name: string, expiration: number, period: Period): void {
    const { ring, dice, nodes, world } = this.#parts;
    const identity = identityOf(name, 'onion');
    const packet = makePacket(
      ring.key(identity, period),
      makeItem(identity, expiration, `203.0.113.${dice.int(1, 9)}:9`),
    );
    const some = dice.shuffle(nodes).slice(0, dice.pick([1, 1, 2, nodes.length]));
    for (const node of some)
      world.schedule(dice.exponential(100), () => this.#send(name, node, packet, dice.chance(0.7)));
  }

  #send(source: string, node: DiscoverySimNode, packet: Uint8Array, confirmed: boolean): void {
    const { process } = node;
    if (process === null) return;
    const requestID = confirmed ? ++this.#requestID : 0n;
    const message = create(PublishToDiscoverySchema, { version: VERSION, signedDiscoveryItem: packet, requestID });
    process.clock.run(() => {
      void process.consensus.onReceivedPublishToDiscovery({ source }, message).then((outcome: PublishOutcome) => {
        // Whoever asked a process that has died meanwhile hears nothing.
        if (node.process === process) this.#parts.receipt({ packet, node, process, confirmed, outcome });
      });
    });
  }

  /** Shortly before a slot ends, so that the node has no time to get them attested. */
  #floodNext(target: DiscoverySimNode, slot: number): void {
    const { plan, world, dice, ring } = this.#parts;
    world.schedule(slotStartMs(slot + 1) - world.now - dice.between(150, 600), () => {
      for (let i = 0; i < plan.floodPerSlot; i++) {
        const identity = identityOf(`f${++this.#flooded}`, 'onion');
        const expiration = Math.floor(secondsAt(world.now)) + SLOT_SECONDS + 1;
        this.#send(
          'flood',
          target,
          makePacket(ring.key(identity), makeItem(identity, expiration, '198.51.100.7:1')),
          false,
        );
      }
      this.#floodNext(target, slot + 1);
    });
  }

  #trashNext(): void {
    const { plan, world, dice, nodes } = this.#parts;
    world.schedule(dice.exponential((SLOT_SECONDS * 1000) / plan.trashPerSlot), () => {
      this.#send('trash', dice.pick(nodes), this.#trash(), dice.chance(0.5));
      this.#trashNext();
    });
  }

  /** In somebody's name, expired, too long, of another owner, or nothing at all. */
  #trash(): Uint8Array {
    const { dice, ring, world } = this.#parts;
    const identity = identityOf(`p${dice.int(1, 8)}`, 'onion');
    const stranger = ring.key(identityOf('mallory', 'onion'));
    const now = Math.floor(secondsAt(world.now));
    const item = makeItem(identity, now + 3 * SLOT_SECONDS, '198.51.100.9:1');
    return dice.pick<() => Uint8Array>([
      () => Uint8Array.from({ length: dice.int(0, 200) }, () => dice.int(0, 255)),
      () => makePacket(stranger, item),
      () => joinPacket(item, { ...stranger.sign(item), signature: new Uint8Array(64) }),
      () => makePacket(ring.key(identity), makeItem(identity, now - 1, '198.51.100.9:1')),
      () => makePacket(ring.key(identity), makeItem(identity, now + 1e6, '198.51.100.9:1')),
      () => makePacket(ring.key(identity), makeItem(identity, now + 60, 'nowhere')),
      () => new Uint8Array(5000).fill(255),
    ])();
  }
}
