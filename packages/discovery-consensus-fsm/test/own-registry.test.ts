import { runSteps } from '@discovery-raft/psp-envelope';
import fc from 'fast-check';
import type { ListedItem } from '../src/policy/listing.js';
import { OwnRegistry, type OwnEntry } from '../src/runtime/own-registry.js';

const CREATION = 1000;
const ATTESTED_BY = 50;

interface Dates {
  readonly notBefore: number;
  readonly notAfter: number;
}

function ownOf(identity: string, expiration: number, attestedAt: number, dates: Dates | undefined): OwnEntry {
  const verdict = dates === undefined ? undefined : { ok: true, ...dates };
  const entry = { verdict } as unknown as OwnEntry['entry'];
  return { identity, entry, expiration, attestedAt, signature: undefined, waiting: undefined, listedIn: undefined };
}

function counts({ expiration, attestedAt, entry }: OwnEntry): boolean {
  const verdict = entry.verdict as unknown as ({ ok: true } & Dates) | undefined;
  if (expiration <= CREATION || attestedAt > ATTESTED_BY || verdict === undefined) return false;
  return verdict.notBefore <= CREATION && CREATION <= verdict.notAfter;
}

/** What the share is by its definition. */
function expected(own: ReadonlyMap<string, OwnEntry>, listing: readonly ListedItem[]): { own: number; listed: number } {
  const mine = [...own.values()].filter(counts);
  const listed = listing.filter(({ identity, expiration }) => {
    const entry = own.get(identity);
    return entry !== undefined && counts(entry) && expiration >= entry.expiration;
  });
  return { own: mine.length, listed: listed.length };
}

const identity = fc.nat(30).map((i) => String(i).padStart(2, '0'));
const dates = fc.constantFrom<Dates | undefined>(
  { notBefore: 0, notAfter: 2000 },
  { notBefore: 0, notAfter: 999 },
  { notBefore: 1001, notAfter: 2000 },
  undefined,
);
const expiration = fc.constantFrom(999, 1000, 1001, 1500);
const step = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), identity, expiration, attestedAt: fc.constantFrom(50, 51), dates }),
  fc.record({ kind: fc.constant('delete' as const), identity }),
  fc.record({ kind: fc.constant('judged' as const), identity, dates }),
  fc.record({ kind: fc.constant('list' as const), identity, expiration }),
  fc.record({ kind: fc.constant('unlist' as const), identity }),
  fc.record({ kind: fc.constant('count' as const) }),
);

describe('what a node attested', () => {
  test('has the share in each listing that it has by definition, whatever came, went and was judged between', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), fc.integer({ min: 1, max: 5 }), (steps, perStep) => {
        const registry = new OwnRegistry();
        const own = new Map<string, OwnEntry>();
        const listed = new Map<string, ListedItem>();
        for (const one of steps) {
          if (one.kind === 'set') {
            const entry = ownOf(one.identity, one.expiration, one.attestedAt, one.dates);
            own.set(one.identity, entry);
            registry.set(entry);
          } else if (one.kind === 'delete') {
            own.delete(one.identity);
            registry.delete(one.identity);
          } else if (one.kind === 'judged') {
            const entry = own.get(one.identity);
            if (entry === undefined || counts(entry)) continue;
            entry.entry = ownOf('', 0, 0, one.dates).entry;
          } else if (one.kind === 'list') {
            listed.set(one.identity, { identity: one.identity, expiration: one.expiration });
          } else if (one.kind === 'unlist') listed.delete(one.identity);
          else {
            const listing = [...listed.values()].sort((a, b) => (a.identity < b.identity ? -1 : 1));
            const question = { creation: CREATION, attestedBy: ATTESTED_BY };
            expect(runSteps(registry.share(listing, question, perStep))).toEqual(expected(own, listing));
          }
          expect(registry.size).toBe(own.size);
        }
        expect([...registry.values()].map((each) => each.identity).sort()).toEqual([...own.keys()].sort());
        for (const [each, entry] of own) expect(registry.get(each)).toBe(entry);
      }),
      { numRuns: 300 },
    );
  });

  test('is all there when it grows, and while a walk over it is left for a while', () => {
    const registry = new OwnRegistry();
    const name = (i: number): string => `node ${i}`;
    const put = (i: number, attestedAt = 1): void =>
      registry.set(ownOf(name(i), 2000, attestedAt, { notBefore: 0, notAfter: 2000 }));
    for (let i = 0; i < 200; i++) put(i);
    const walk = registry.values();
    expect(walk.next().value?.identity).toBe(name(0));
    registry.delete(name(1));
    for (let i = 200; i < 2000; i++) put(i);
    put(2, 2);
    const rest = [...walk];
    expect(rest.slice(0, 198)).toEqual(Array.from({ length: 198 }, (_, i) => registry.get(name(i + 2))));
    expect(rest[0]).toMatchObject({ identity: name(2), attestedAt: 2 });
    const question = { creation: CREATION, attestedBy: ATTESTED_BY };
    expect(runSteps(registry.share([{ identity: name(7), expiration: 2000 }], question, 64))).toEqual({
      own: 1999,
      listed: 1,
    });
  });
});
