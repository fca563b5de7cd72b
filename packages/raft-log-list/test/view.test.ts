import { encodeEntry } from '../src/codec/entry-codec.js';
import { SEVERAL, type FrozenState } from '../src/state/list-view.js';
import type { LiveRecord } from '../src/state/live-record.js';
import { OrderedRecords } from '../src/state/record-cursor.js';
import { LogHarness } from './fixtures/log-harness.js';
import { packetOf } from './fixtures/text-schema.js';

const IDENTITIES = 1700;

function name(i: number): string {
  return `node ${String(i).padStart(5, '0')}`;
}

function filled(): LogHarness {
  const harness = new LogHarness();
  // 7 and the count have no common divisor, so each comes once, and out of order.
  for (let i = 0; i < IDENTITIES; i++) {
    harness.append(encodeEntry({ packet: packetOf(name((i * 7) % IDENTITIES), 100) }));
  }
  for (let i = 0; i < IDENTITIES; i += 100) harness.append(encodeEntry({ packet: packetOf(name(i), 200) }));
  return harness;
}

describe('a walk over a view', () => {
  it('meets every record once and in order, also where an identity has several', () => {
    const { list } = filled();
    const seen = [...list.view().entries()].map(({ identity, expiration }) => `${identity} ${expiration}`);
    const expected = Array.from({ length: IDENTITIES }, (_, i) => [
      `${name(i)} 100`,
      ...(i % 100 === 0 ? [`${name(i)} 200`] : []),
    ]);
    expect(seen).toEqual(expected.flat());
  });

  it('meets all records of one identity, were they as many as a bad leader can write', () => {
    const many = Array.from({ length: 300_000 }, (_, index) => ({ index }) as LiveRecord);
    const state = {
      order: { sorted: { slots: Uint32Array.of(0) } },
      held: { get: () => many },
      rowOf: { get: () => SEVERAL },
    } as unknown as FrozenState;
    expect([...new OrderedRecords(state)]).toEqual(many);
  });

  it('goes on where it stood, however much is written meanwhile', () => {
    const harness = filled();
    const view = harness.list.view();
    const before = [...view.entries()];
    const walk = view.entries()[Symbol.iterator]();
    const seen = [];
    for (let step = walk.next(); step.done !== true; step = walk.next()) {
      seen.push(step.value);
      if (seen.length % 50 === 0) {
        harness.append(encodeEntry({ packet: packetOf(`aaa ${seen.length}`, 1) }));
        harness.append(encodeEntry({ deleteIndex: step.value.index }));
      }
    }
    expect(seen).toEqual(before);
    expect(harness.list.size).toBe(view.size);
    expect([...harness.list.view().entries()]).not.toEqual(before);
    expect(walk.next().done).toBe(true);
  });

  it('is the same whether the list was viewed after each entry or first when it was full', () => {
    const names = ['b', '\u{10000}', 'a', '\ue000', '\ud7ff', 'ab', '\u{10ffff}', 'B'];
    const [viewed, full] = [new LogHarness(), new LogHarness()];
    for (const harness of [viewed, full]) {
      for (const [i, each] of [...names, 'gone'].entries()) {
        harness.append(encodeEntry({ packet: packetOf(each, 1 + i) }));
        if (harness === viewed) harness.list.view();
      }
      harness.append(encodeEntry({ deleteIndex: harness.list.appliedIndex }));
    }
    const identities = [...full.list.view().entries()].map(({ identity }) => identity);
    expect(identities).toEqual(names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    expect([...viewed.list.view().entries()].map(({ identity }) => identity)).toEqual(identities);
    expect(full.list.view().digest()).toEqual(viewed.list.view().digest());
  });

  it('finds each identity of its time, and none of another', () => {
    const harness = filled();
    const view = harness.list.view();
    for (let i = 0; i < IDENTITIES; i += 3) {
      for (const { index } of harness.list.get(name(i))) harness.append(encodeEntry({ deleteIndex: index }));
      harness.append(encodeEntry({ packet: packetOf(`later ${i}`, 1) }));
    }
    for (let i = 0; i < IDENTITIES; i++) {
      expect(view.get(name(i)).map(({ identity }) => identity)).toEqual(i % 100 === 0 ? [name(i), name(i)] : [name(i)]);
      expect(harness.list.view().get(name(i))).toHaveLength(i % 3 === 0 ? 0 : view.get(name(i)).length);
    }
    expect(view.get('later 3')).toEqual([]);
    expect(harness.list.view().get('later 3')).toHaveLength(1);
  });

  it('shows of each record whether it is still in the list', () => {
    const harness = filled();
    const view = harness.list.view();
    expect([...view.entries()].every(({ isLive }) => isLive)).toBe(true);
    const [gone, replaced] = [view.get(name(1))[0]!, view.get(name(2))[0]!];
    harness.append(encodeEntry({ deleteIndex: gone.index }));
    harness.append(encodeEntry({ packet: packetOf(name(2), 300), deleteIndex: replaced.index }));
    expect([...view.entries()].filter(({ isLive }) => !isLive)).toEqual([gone, replaced]);
    expect(harness.list.get(name(2))[0]!.isLive).toBe(true);
  });

  it('of an empty list is over at once', () => {
    const { list } = new LogHarness();
    expect([...list.view().entries()]).toEqual([]);
  });
});

describe('what may have to go', () => {
  it('is found by its date, or because an identity has several records', () => {
    const harness = new LogHarness();
    for (const [identity, expiration] of [
      ['late', 300],
      ['early', 100],
      ['two', 200],
      ['two', 400],
    ] as const) {
      harness.append(encodeEntry({ packet: packetOf(identity, expiration) }));
    }
    const { list } = harness;
    expect(list.due(99)).toEqual(['two']);
    expect(list.due(100)).toEqual(['early', 'two']);
    harness.append(encodeEntry({ deleteIndex: 3 }));
    expect(list.due(399)).toEqual(['early', 'late']);
    harness.append(encodeEntry({ packet: packetOf('early', 500), deleteIndex: 2 }));
    expect(list.due(400)).toEqual(['late', 'two']);
    harness.append(encodeEntry({ deleteIndex: 1 }));
    harness.append(encodeEntry({ packet: packetOf('in the same slot', 900) }));
    expect(list.due(899)).toEqual(['early', 'two']);
  });

  it('is found in a list that grew', () => {
    const { list } = filled();
    expect(list.due(100)).toHaveLength(IDENTITIES);
    expect(list.due(99)).toEqual(Array.from({ length: IDENTITIES / 100 }, (_, i) => name(i * 100)));
  });
});
