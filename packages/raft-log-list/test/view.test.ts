import { encodeEntry } from '../src/codec/entry-codec.js';
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

  it('of an empty list is over at once', () => {
    const { list } = new LogHarness();
    expect([...list.view().entries()]).toEqual([]);
  });
});
