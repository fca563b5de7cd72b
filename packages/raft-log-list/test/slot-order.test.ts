import fc from 'fast-check';
import { compareIdentities } from '../src/index.js';
import { SlotOrder, type FrozenOrder } from '../src/state/slot-order.js';

/** The order as a plain map would have it. */
function expected(slots: ReadonlyMap<string, number>): [string, number][] {
  return [...slots].sort(([a], [b]) => compareIdentities(a, b));
}

function found({ sorted: { identities, slots } }: FrozenOrder): [string, number][] {
  return identities.map((identity, i) => [identity, slots[i]!]);
}

describe('the order of identities', () => {
  const identity = fc.oneof(fc.integer({ min: 0, max: 40 }).map(String), fc.constantFrom('\u{10000}', '\uffff', 'é'));
  const step = fc.record({ identity, freeze: fc.boolean(), look: fc.boolean() });

  it('is that of a sorted map, in each view that was frozen, whenever it is looked at', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const order = new SlotOrder();
        const present = new Map<string, number>();
        const free: number[] = [];
        const views: { frozen: FrozenOrder; expected: [string, number][] }[] = [];
        for (const { identity: name, freeze, look } of steps) {
          const slot = present.get(name);
          if (slot === undefined) {
            const opened = free.pop() ?? present.size;
            present.set(name, opened);
            order.open(name, opened);
          } else {
            present.delete(name);
            free.push(slot);
            order.close(name);
          }
          if (freeze) views.push({ frozen: order.freeze(), expected: expected(present) });
          if (look) expect(found(order.freeze())).toEqual(expected(present));
        }
        for (const view of views) {
          expect(found(view.frozen)).toEqual(view.expected);
          const slots = new Map(view.expected);
          for (const { identity: name } of steps) expect(view.frozen.slotOf(name)).toBe(slots.get(name));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('takes in what came and went also when nobody ever looks, and keeps what was frozen before', () => {
    const order = new SlotOrder();
    const present = new Map<string, number>();
    const views: { frozen: FrozenOrder; expected: [string, number][] }[] = [];
    for (let i = 0; i < 30_000; i++) {
      const name = String((i * 7919) % 20_011);
      const slot = present.get(name);
      if (slot === undefined) {
        present.set(name, i);
        order.open(name, i);
      } else if (present.delete(name)) order.close(name);
      if (i % 5000 === 4999) views.push({ frozen: order.freeze(), expected: expected(present) });
    }
    for (const { frozen, expected: all } of views.toReversed()) expect(found(frozen)).toEqual(all);
  });

  it('is one for all views between which no identity came or went', () => {
    const order = new SlotOrder();
    order.open('b', 0);
    order.open('a', 1);
    const view = order.freeze();
    expect(order.freeze()).toBe(view);
    const { sorted } = view;
    order.open('c', 2);
    const later = order.freeze();
    expect(later).not.toBe(view);
    expect(later.sorted.identities).toEqual(['a', 'b', 'c']);
    expect(view.sorted).toBe(sorted);
    expect(sorted.identities).toEqual(['a', 'b']);
  });
});
