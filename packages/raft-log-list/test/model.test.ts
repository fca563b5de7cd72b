import fc from 'fast-check';
import { encodeEntry } from '../src/codec/entry-codec.js';
import type { ListView } from '../src/index.js';
import { LogHarness, plain, plainRecord } from './fixtures/log-harness.js';
import { attestationBy, packetOf, textList } from './fixtures/text-schema.js';

/** The list as one would write it in five minutes: an array, scanned for everything. */
class NaiveList {
  records: { index: number; identity: string; expiration: number; origin: number; attesters: string[] }[] = [];

  apply(index: number, operation: Operation): void {
    const { identity, expiration, attesters, deleteIndex, origin } = operation;
    if (operation.kind === 'removal' && deleteIndex === 0) return;
    this.records = this.records.filter((record) => {
      if (deleteIndex === 0 || record.index > deleteIndex) return true;
      if (operation.kind === 'insert' && record.identity !== identity) return true;
      return origin > 0 ? record.origin !== origin : record.index !== deleteIndex;
    });
    if (operation.kind === 'insert') {
      this.records.push({ index, identity, expiration, origin: origin || index, attesters });
    }
  }

  plain(): unknown[] {
    const sorted = this.records.toSorted(
      (a, b) =>
        Buffer.compare(Buffer.from(a.identity), Buffer.from(b.identity)) ||
        a.expiration - b.expiration ||
        a.index - b.index,
    );
    return sorted.map(({ index, identity, expiration, attesters }) =>
      plainRecord({
        index,
        identity,
        expiration,
        packet: packetOf(identity, expiration),
        attestations: attesters.map((name) => attestationBy(name)),
      }),
    );
  }
}

interface Operation {
  readonly kind: 'insert' | 'removal';
  readonly identity: string;
  readonly expiration: number;
  readonly attesters: string[];
  readonly deleteIndex: number;
  readonly origin: number;
}

const operations = fc.array(
  fc
    .record({
      kind: fc.constantFrom<Operation['kind']>('insert', 'insert', 'insert', 'removal'),
      identity: fc.constantFrom('a', 'b', 'ab', '\uffff', '\u{10000}'),
      expiration: fc.integer({ min: 1, max: 4 }),
      attesters: fc.uniqueArray(fc.constantFrom('x', 'y', 'z')),
      deleteIndex: fc.nat(60),
      origin: fc.nat(60),
    })
    .map((operation) => ({ ...operation, origin: operation.origin <= operation.deleteIndex ? operation.origin : 0 })),
  { maxLength: 60 },
);

function encodeOperation({ kind, identity, expiration, attesters, deleteIndex, origin }: Operation): Uint8Array {
  if (kind === 'removal') return encodeEntry({ deleteIndex, origin });
  const attestations = attesters.map((name) => attestationBy(name));
  return encodeEntry({ packet: packetOf(identity, expiration), attestations, deleteIndex, origin });
}

describe('the list', () => {
  it('is what an array gives that is scanned for everything, at each index and for good', () => {
    fc.assert(
      fc.property(operations, (all) => {
        const log = new LogHarness();
        const naive = new NaiveList();
        const views: { view: ListView; expected: unknown[] }[] = [];
        for (const operation of all) {
          log.append(encodeOperation(operation));
          naive.apply(log.lastIndex, operation);
          views.push({ view: log.list.view(), expected: naive.plain() });
          expect(log.list.size).toBe(naive.records.length);
          expect(log.list.get(operation.identity)).toHaveLength(
            naive.records.filter(({ identity }) => identity === operation.identity).length,
          );
        }
        for (const [i, { view, expected }] of views.entries()) {
          expect(view.index).toBe(i + 1);
          expect(view.size).toBe(expected.length);
          expect(plain(view)).toEqual(expected);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is the same on every replica that applies the same log', () => {
    fc.assert(
      fc.property(operations, fc.nat(60), (all, other) => {
        const log = new LogHarness();
        for (const operation of all) log.append(encodeOperation(operation));
        const replica = textList();
        for (const entry of log.entries) replica.apply(entry, { redact() {} });
        expect(replica.view().digest()).toEqual(log.list.view().digest());
        expect(replica.liveBytes).toBe(log.list.liveBytes);
        expect(plain(replica)).toEqual(plain(log.list));

        log.append(encodeEntry({ packet: packetOf('another', other) }));
        expect(replica.view().digest()).not.toEqual(log.list.view().digest());
      }),
      { numRuns: 200 },
    );
  });

  it('shares nothing between views of a large list but what has not changed', () => {
    const log = new LogHarness();
    for (let i = 0; i < 3000; i++) log.append(encodeEntry({ packet: packetOf(`id${(i * 7919) % 3001}`, 10) }));
    const before = log.list.view();
    const expected = plain(before);
    for (let i = 1; i <= 3000; i += 2) log.append(encodeEntry({ deleteIndex: i, origin: i }));
    expect(log.list.size).toBe(1500);
    expect(before.size).toBe(3000);
    expect(plain(before)).toEqual(expected);
    expect(before.get('id7919')).toEqual([]);
    expect(before.get('id1')).toHaveLength(1);
  });
});
