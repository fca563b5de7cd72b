import { createHash } from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { DiscoveryItemSchema, DiscoveryListingSchema } from '@discovery-raft/protocol';
import fc from 'fast-check';
import { shortListingOf } from '../src/index.js';
import { codeOf } from './messages.js';

const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());

function item(identity: string, padding = 0): Uint8Array {
  return toBinary(DiscoveryItemSchema, create(DiscoveryItemSchema, { identity, fingerprint: 'F'.repeat(padding) }));
}

function listing(items: readonly Uint8Array[], creation = 900): Uint8Array {
  return toBinary(
    DiscoveryListingSchema,
    create(DiscoveryListingSchema, {
      version: 'xpx-discovery-1.0',
      items: [...items],
      creation: BigInt(creation),
      expiration: BigInt(creation + 2700),
    }),
  );
}

const relays = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => item(`xpx.onion.node.${String(i).padStart(5, '0')}`));
const identities = (bytes: Uint8Array): string[] =>
  fromBinary(DiscoveryListingSchema, bytes).items.map((each) => fromBinary(DiscoveryItemSchema, each).identity);

describe('the short listing', () => {
  test('does not exist when the full one is not over the limit', () => {
    const full = listing(relays(10));
    expect(shortListingOf(full, { sha256, maxBytes: full.length })).toBeUndefined();
    expect(shortListingOf(full, { sha256 })).toBeUndefined();
    expect(shortListingOf(full, { sha256, maxBytes: full.length - 1 })?.items).toBeLessThan(10);
  });

  test('names the full one and keeps its dates, its order and its item bytes', () => {
    const items = relays(200);
    const full = listing(items);
    const short = shortListingOf(full, { sha256, maxBytes: 3000 })!;
    const read = fromBinary(DiscoveryListingSchema, short.bytes);
    expect(read).toMatchObject({ creation: 900n, expiration: 3600n, fullItems: 200n, fullDigest: sha256(full) });
    expect(read.items).toHaveLength(short.items);
    expect(short.digest).toEqual(sha256(short.bytes));
    const positions = read.items.map((each) => items.findIndex((of) => Buffer.from(of).equals(each)));
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
    expect(positions).not.toContain(-1);
  });

  test('uses the room up and is never over the limit, whatever the sizes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(400), { minLength: 30, maxLength: 60 }),
        fc.integer({ min: 400, max: 3000 }),
        (paddings, maxBytes) => {
          const items = paddings.map((padding, i) => item(`xpx.onion.node.${i}`, padding));
          const full = listing(items);
          const short = shortListingOf(full, { sha256, maxBytes });
          if (full.length <= maxBytes) return short === undefined;
          expect(short!.bytes.length).toBeLessThanOrEqual(maxBytes);
          const listed = new Set(identities(short!.bytes));
          const left = items.filter((_, i) => !listed.has(`xpx.onion.node.${i}`));
          const room = maxBytes - short!.bytes.length;
          return left.every((bytes) => bytes.length + 1 + (bytes.length > 127 ? 2 : 1) > room);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('lists small groups whole: a flood of relays crowds out relays only', () => {
    const few = ['auth', 'discovery', 'oracle'].flatMap((role) => [1, 2, 3].map((i) => `xpx.${role}.node.${i}`));
    const full = listing([...few.map((identity) => item(identity)), ...relays(1000)]);
    const short = shortListingOf(full, { sha256, maxBytes: 2000 })!;
    expect(identities(short.bytes)).toEqual(expect.arrayContaining(few));
    expect(short.items).toBeGreaterThan(few.length + 10);
  });

  test('is another choice when anything in the full one changes, so that nobody stays outside', () => {
    const seen = new Set<string>();
    for (let round = 1; round <= 60; round++) {
      const short = shortListingOf(listing(relays(100), round * 900), { sha256, maxBytes: 700 })!;
      for (const identity of identities(short.bytes)) seen.add(identity);
    }
    expect(seen.size).toBe(100);
  });

  test('of bytes that are no listing is an error, of none or of items that are none it is not', () => {
    expect(codeOf(() => shortListingOf(new Uint8Array(100).fill(255), { sha256, maxBytes: 10 }))).toBe(
      'ENVELOPE_MALFORMED',
    );
    expect(shortListingOf(listing([]), { sha256, maxBytes: 10 })?.items).toBe(0);
    const bad = listing([new Uint8Array(100).fill(255)]);
    expect(shortListingOf(bad, { sha256, maxBytes: 10 })?.items).toBe(0);
  });
});
