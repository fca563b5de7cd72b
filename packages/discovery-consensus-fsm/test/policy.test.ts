import fc from 'fast-check';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { DiscoveryListingSchema } from '@discovery-raft/protocol';
import { runSteps } from '@discovery-raft/psp-envelope';
import {
  POLICIES,
  attestationsNeeded,
  buildListing,
  buildListingSteps,
  consensusQuorum,
  entryValid,
  reachesShare,
  roundOfCreation,
  slotAt,
  slotExpiration,
  slotStart,
  toleratedLiars,
  voteVerdict,
} from '../src/index.js';
import { compareBytes } from '../src/policy/bytes.js';
import type { BuiltListing, JudgedEntry, ListingMemory, VoteFacts } from '../src/index.js';
import { VERSION, sha256 } from './fixtures/fake-crypto.js';

const { safe, documented } = POLICIES;
const nodes = fc.integer({ min: 1, max: 31 });

describe('quorums', () => {
  test.each([
    [1, 0, 1, 1],
    [2, 0, 2, 1],
    [3, 0, 2, 2],
    [4, 1, 3, 2],
    [5, 1, 4, 3],
    [6, 1, 4, 3],
    [7, 2, 5, 4],
    [10, 3, 7, 5],
    [11, 3, 8, 6],
  ])('of %i nodes: %i liars, safe %i, documented %i', (n, f, safeQuorum, documentedQuorum) => {
    expect(toleratedLiars(n)).toBe(f);
    expect(consensusQuorum(safe, n)).toBe(safeQuorum);
    expect(consensusQuorum(documented, n)).toBe(documentedQuorum);
  });

  test('safe: any two quorums share more than f nodes, and the honest ones alone are a quorum', () => {
    fc.assert(
      fc.property(nodes, fc.integer(), fc.integer(), (n, seedA, seedB) => {
        const f = toleratedLiars(n);
        const q = consensusQuorum(safe, n);
        expect(2 * q - n).toBeGreaterThan(f);
        if (n !== 2) expect(n - f).toBeGreaterThanOrEqual(q);
        const pick = (seed: number): Set<number> => {
          const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => hash(seed, a) - hash(seed, b));
          return new Set(order.slice(0, q));
        };
        const other = pick(seedB);
        expect([...pick(seedA)].filter((node) => other.has(node)).length).toBeGreaterThan(f);
      }),
    );
  });

  test('documented: with an even n two disjoint quorums exist, which is why safe is the default', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 15 }), (half) => {
        expect(consensusQuorum(documented, 2 * half) * 2).toBe(2 * half);
      }),
    );
  });

  test('attestations that make an entry valid are at least the share, and one less is not', () => {
    fc.assert(
      fc.property(nodes, fc.integer({ min: 1, max: 100 }), (n, percent) => {
        const needed = attestationsNeeded({ ...safe, entryShare: percent / 100 }, n);
        expect(needed * 100).toBeGreaterThanOrEqual(percent * n);
        if (needed > 1) expect((needed - 1) * 100).toBeLessThan(percent * n);
      }),
    );
  });
});

function hash(seed: number, i: number): number {
  const digest = sha256(new TextEncoder().encode(`${seed}/${i}`));
  return digest[0]! * 65_536 + digest[1]! * 256 + digest[2]!;
}

describe('votes', () => {
  const good: VoteFacts = { digestMatches: true, entries: 8, validEntries: 8, ownEntries: 8, ownEntriesListed: 8 };

  test.each([
    ['safe', good, 'yes'],
    ['safe', { ...good, digestMatches: false }, 'digestMismatch'],
    ['safe', { ...good, ownEntriesListed: 6 }, 'yes'],
    ['safe', { ...good, ownEntriesListed: 5 }, 'ownEntriesMissing'],
    ['safe', { ...good, ownEntries: 0, ownEntriesListed: 0 }, 'yes'],
    ['safe', { ...good, validEntries: 0 }, 'yes'],
    ['documented', good, 'yes'],
    ['documented', { ...good, validEntries: 6 }, 'yes'],
    ['documented', { ...good, validEntries: 5 }, 'tooFewValidEntries'],
    ['documented', { ...good, ownEntriesListed: 0 }, 'yes'],
    ['documented', { ...good, digestMatches: false }, 'digestMismatch'],
  ] as const)('%s %j: %s', (policy, facts, expected) => {
    const verdict = voteVerdict(POLICIES[policy], facts);
    expect(verdict.yes ? 'yes' : verdict.reason).toBe(expected);
  });

  test('a share of nothing is reached, and a share is exact', () => {
    expect(reachesShare(0, 0, 0.75)).toBe(true);
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(1000), (part, whole) => {
        expect(reachesShare(part, whole, 0.75)).toBe(part * 4 >= whole * 3);
      }),
    );
  });
});

describe('slots', () => {
  const calendar = fc.record({
    genesisSeconds: fc.integer({ min: 0, max: 2 ** 31 }),
    slotSeconds: fc.integer({ min: 1, max: 86_400 }),
  });

  test('every moment is in the slot that it is in', () => {
    fc.assert(
      fc.property(calendar, fc.double({ min: 0, max: 2 ** 33, noNaN: true }), (slots, now) => {
        const round = slotAt(slots, now);
        expect(slotStart(slots, round)).toBeLessThanOrEqual(now);
        expect(slotStart(slots, round + 1)).toBeGreaterThan(now);
        expect(slotExpiration(slots, round)).toBe(slotStart(slots, round) + 3 * slots.slotSeconds);
      }),
    );
  });

  test('only the start of a slot is a creation time', () => {
    const slots = { genesisSeconds: 100, slotSeconds: 60 };
    expect(roundOfCreation(slots, 160)).toBe(1);
    expect(roundOfCreation(slots, 161)).toBeUndefined();
    expect(roundOfCreation(slots, 100)).toBeUndefined();
    expect(roundOfCreation(slots, 40)).toBeUndefined();
  });
});

describe('the listing', () => {
  const header = { version: VERSION, creation: 1000, expiration: 1180 };
  const entry = fc
    .record({
      identity: fc.constantFrom('a', 'b', 'c', 'd', 'A', 'a.b', 'a.b.c', 'a.c.b', 'ab'),
      expiration: fc.integer({ min: 990, max: 1020 }),
      itemBytes: fc.option(fc.uint8Array({ minLength: 1, maxLength: 4 }), { nil: undefined }),
      attestations: fc.nat(3),
    })
    .map((fields) => ({ ...fields, itemLength: fields.itemBytes?.length })) satisfies fc.Arbitrary<JudgedEntry>;

  test('is the same whatever the order of the entries', () => {
    fc.assert(
      fc.property(fc.array(entry), fc.integer(), fc.constantFrom(safe, documented), (entries, seed, policy) => {
        const shuffled = entries.map((value, i) => ({ value, at: hash(seed, i) })).sort((x, y) => x.at - y.at);
        const one = buildListing(entries, header, policy, 2, sha256);
        const two = buildListing(
          shuffled.map(({ value }) => value),
          header,
          policy,
          2,
          sha256,
        );
        expect(one.bytes).toEqual(two.bytes);
        expect(one.digest).toEqual(sha256(one.bytes));
      }),
    );
  });

  test('safe: the newest valid entry of each identity, sorted, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        const built = buildListing(entries, header, safe, 2, sha256);
        const expected = naiveListing(entries);
        expect(built.listed.map(({ identity }) => identity)).toEqual(expected.map((chosen) => chosen.identity));
        const listing = fromBinary(DiscoveryListingSchema, built.bytes);
        expect(listing.items.map((item) => [...item])).toEqual(expected.map((chosen) => [...chosen.itemBytes!]));
        expect([listing.version, listing.creation, listing.expiration]).toEqual([VERSION, 1000n, 1180n]);
        expect(built.validEntries).toBe(expected.length);
      }),
    );
  });

  /** The rule read word for word. */
  function naiveListing(entries: readonly JudgedEntry[]): JudgedEntry[] {
    const valid = entries.filter((candidate) => entryValid(candidate, header.creation, 2));
    const identities = [...new Set(valid.map((candidate) => candidate.identity))];
    identities.sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
    return identities.map(
      (identity) =>
        valid
          .filter((candidate) => candidate.identity === identity)
          .sort((x, y) => y.expiration - x.expiration || compareBytes(y.itemBytes!, x.itemBytes!))[0]!,
    );
  }

  test('is the same in steps, wherever they are interrupted, and so is its short listing', () => {
    fc.assert(
      fc.property(fc.array(entry), fc.integer({ min: 1, max: 5 }), fc.boolean(), (entries, entriesPerStep, isLarge) => {
        const sizes = { shortListingBytes: isLarge ? 20 : 2000, entriesPerStep };
        const steps = buildListingSteps({ entries, header, policy: safe, attestationsNeeded: 2, sha256, ...sizes });
        let pauses = 0;
        let step = steps.next();
        for (; step.done !== true; step = steps.next()) pauses++;
        expect(step.value).toEqual(buildListing(entries, header, safe, 2, sha256, sizes.shortListingBytes));
        expect(step.value.short !== undefined).toBe(step.value.bytes.length > sizes.shortListingBytes);
        expect(pauses).toBeGreaterThan(Math.floor(step.value.items / entriesPerStep));
        expect(step.value.bytes).toEqual(encodedByProtobuf(step.value));
      }),
    );
  });

  test('is the same whatever listing was written before, and whatever of it has changed since', () => {
    const round = fc.record({
      places: fc.array(fc.nat(39)),
      isSorted: fc.boolean(),
      creation: fc.constantFrom(995, 1000, 1005),
      attestationsNeeded: fc.constantFrom(1, 2),
      policy: fc.constantFrom(documented, safe),
    });
    const rounds = fc.array(round, { minLength: 2 });
    const pool = fc.array(entry, { minLength: 40, maxLength: 40 });
    fc.assert(
      fc.property(pool, rounds, fc.integer({ min: 1, max: 4 }), fc.boolean(), (all, plans, entriesPerStep, isLarge) => {
        const sizes = { shortListingBytes: isLarge ? 20 : 2000, entriesPerStep };
        let previous: ListingMemory | undefined;
        for (const { places, isSorted, creation, attestationsNeeded, policy } of plans) {
          // The objects of one round come again in the next, as those of a record that stays.
          const entries = [...new Set(places)].map((place) => all[place]!);
          if (isSorted) entries.sort((a, b) => (a.identity < b.identity ? -1 : a.identity === b.identity ? 0 : 1));
          const at = { ...header, creation, expiration: creation + 180 };
          const input = { entries, header: at, policy, attestationsNeeded, sha256, ...sizes };
          const afresh = runSteps(buildListingSteps(input));
          const built = runSteps(buildListingSteps({ ...input, previous }));
          // Of what is kept for the next one, numbers may be others.
          expect({ ...built, memory: null }).toEqual({ ...afresh, memory: null });
          expect(built.memory.columns).toEqual(afresh.memory.columns);
          expect(built.bytes).toEqual(encodedByProtobuf(built));
          previous = built.memory;
        }
      }),
    );
  });

  test('copies what follows one another in the listing before, and asks no entry of it for its item', () => {
    const entries = Array.from({ length: 9 }, (_, i): JudgedEntry => {
      const itemBytes = Uint8Array.from({ length: 100 + i * 10 }, () => i);
      return { identity: `id${i}`, expiration: 2000, itemBytes, itemLength: itemBytes.length, attestations: 2 };
    });
    const input = { header, policy: safe, attestationsNeeded: 2, sha256 };
    const before = runSteps(buildListingSteps({ ...input, entries }));
    const silent = entries.map((each) => Object.defineProperty(each, 'itemBytes', { get: () => fail(each.identity) }));
    const kept = silent.filter((_, i) => i !== 4);
    const next = runSteps(buildListingSteps({ ...input, entries: kept, previous: before.memory }));
    const items = fromBinary(DiscoveryListingSchema, next.bytes).items.map((item) => [item[0], item.length]);
    expect(items).toEqual([0, 1, 2, 3, 5, 6, 7, 8].map((i) => [i, 100 + i * 10]));
  });

  function fail(identity: string): never {
    throw new Error(`${identity} is in the listing before`);
  }

  function encodedByProtobuf({ bytes }: BuiltListing): Uint8Array {
    return toBinary(DiscoveryListingSchema, fromBinary(DiscoveryListingSchema, bytes));
  }

  test('documented: lists what lacks attestations, and counts it as not valid', () => {
    const entries: JudgedEntry[] = [
      { identity: 'a', expiration: 2000, itemBytes: new Uint8Array([1]), itemLength: 1, attestations: 0 },
      { identity: 'b', expiration: 2000, itemBytes: new Uint8Array([2]), itemLength: 1, attestations: 2 },
      { identity: 'c', expiration: 2000, itemBytes: undefined, itemLength: undefined, attestations: 3 },
    ];
    expect(buildListing(entries, header, documented, 2, sha256)).toMatchObject({
      items: 2,
      entries: 3,
      validEntries: 1,
    });
    expect(buildListing(entries, header, safe, 2, sha256)).toMatchObject({ items: 1, entries: 3, validEntries: 1 });
  });

  test('10,000 items take tens of milliseconds', () => {
    const entries = Array.from({ length: 10_000 }, (_, i): JudgedEntry => {
      const itemBytes = new Uint8Array(300).fill(i);
      const identity = `xpx.onion.node.${String(i).padStart(6, '0')}`;
      return { identity, expiration: 2000, itemBytes, itemLength: 300, attestations: 3 };
    });
    buildListing(entries, header, safe, 2, sha256);
    const begin = performance.now();
    expect(buildListing(entries, header, safe, 2, sha256).items).toBe(10_000);
    expect(performance.now() - begin).toBeLessThan(1000);
  });
});
