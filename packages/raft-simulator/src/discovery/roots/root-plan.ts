import { Dice } from '../../scenario/dice.js';

/** How the trust root changes in a run: once, and one node of it at most. */
export interface RootPlan {
  /** `rotate`: the nodes stay, with another fingerprint. `add`: the last node comes. `remove`: `node` goes. */
  readonly change: 'rotate' | 'add' | 'remove';
  /** Name of the node that comes or goes; null when none does. */
  readonly node: string | null;
  /** The first round that the next root decides. */
  readonly activationSlot: number;
  /** When an operator begins to have it signed, in milliseconds from the start. */
  readonly signedFromMs: number;
  /** How long it takes, on average, until a node hears of the signed root. Some hear of it when it is long in force. */
  readonly learnMs: number;
}

/** What the draw has to know of the nodes. */
export interface RootDraw {
  /** How many nodes there are, and how many of them lie: the first ones. */
  readonly size: number;
  readonly liars: number;
  readonly slotMs: number;
  /** How many of so many nodes may lie. */
  readonly liarsOf: (size: number) => number;
}

/** Draws a change of the root; null for most seeds. Chance of its own: what else a seed decides stays as it was. */
export function drawRootPlan(seed: number, { size, liars, slotMs, liarsOf }: RootDraw): RootPlan | null {
  const dice = new Dice(seed ^ 0x3c7a9d15);
  if (!dice.chance(0.3)) return null;
  const change = dice.pick(['rotate', 'add', 'remove', 'remove'] as const);
  // Never more liars than the nodes that are left can bear; and a liar that is out has much to gain by lying on.
  const isLiar = liars > liarsOf(size - 1) || (liars > 0 && dice.chance(0.5));
  const removed = dice.int(1, isLiar ? liars : size);
  const node = change === 'rotate' ? null : change === 'add' ? `d${size + 1}` : `d${removed}`;
  const activationSlot = dice.int(2, 5);
  // Mostly in good time; now and then so late that some sign and others do not any more, or that nobody should.
  const isLate = dice.chance(0.15);
  const signedFromMs = isLate
    ? (activationSlot + dice.between(-0.1, 0.2)) * slotMs
    : dice.between(2000, (activationSlot - 1) * slotMs);
  return { change, node, activationSlot, signedFromMs, learnMs: dice.pick([100, 3000, 20_000]) };
}
