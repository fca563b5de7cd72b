import { create, toBinary } from '@bufbuild/protobuf';
import { DiscoveryDirectorySchema, DiscoveryListingSchema } from '@discovery-raft/protocol';
import { segment } from '@discovery-raft/psp-envelope';
import { channelPair } from '@discovery-raft/psp-link';
import { SimulatedClock } from '@discovery-raft/raft-core';
import fc from 'fast-check';
import { ClientError, fetchDirectory, NodeClient, verifyDirectory } from '../src/index.js';
import { decodeCache } from '../src/cache/cache-format.js';
import { listing, network, NOON, signed, VERSION } from './fixtures/network.js';

const { root, identities } = network(4);
const good = toBinary(DiscoveryDirectorySchema, signed(listing(), identities));
const anything = fc.uint8Array({ maxLength: 200 });

/** Good bytes with some of them changed, or a piece taken out. */
const mutated = (of: Uint8Array) =>
  fc
    .record({ at: fc.nat(of.length - 1), bytes: fc.uint8Array({ maxLength: 8 }), skip: fc.nat(8) })
    .map(({ at, bytes, skip }) => new Uint8Array([...of.subarray(0, at), ...bytes, ...of.subarray(at + skip)]));

test('bytes that are called a directory give a verdict or a ClientError, whatever they are', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(anything, mutated(good)), async (bytes) => {
      try {
        const verdict = await verifyDirectory(await fetchDirectory(bytes), { root, atSeconds: NOON });
        expect(typeof verdict.ok).toBe('boolean');
      } catch (error) {
        expect(error).toBeInstanceOf(ClientError);
      }
    }),
    { numRuns: 150 },
  );
});

test('what a quorum signed is judged without a throw, too', async () => {
  const listings = fc.oneof(
    anything,
    mutated(listing()),
    fc
      .record({
        ...{ items: fc.array(anything, { maxLength: 4 }), version: fc.constantFrom(VERSION, '') },
        ...{
          creation: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
          expiration: fc.bigInt({ min: 0n, max: 1n << 63n }),
        },
        ...{ fullItems: fc.bigInt({ min: 0n, max: 5n }), fullDigest: anything },
      })
      .map((fields) => toBinary(DiscoveryListingSchema, create(DiscoveryListingSchema, fields))),
  );
  await fc.assert(
    fc.asyncProperty(listings, async (bytes) => {
      const verdict = await verifyDirectory(signed(bytes, identities), { root, atSeconds: NOON });
      expect(typeof verdict.ok).toBe('boolean');
    }),
    { numRuns: 150 },
  );
});

test('a cache file is read or found damaged, whatever it holds', () => {
  fc.assert(fc.property(anything, (bytes) => decodeCache(bytes) === undefined));
});

test('a node may say anything: each question ends, with an answer or a typed error', async () => {
  const event = fc.constantFrom(2002, 2009, 2011, 2001, 4711);
  const message = fc.record({ event, body: fc.oneof(anything, mutated(good)) });
  await fc.assert(
    fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 4 }), async (messages) => {
      const clock = new SimulatedClock();
      const [near, far] = channelPair({ clock });
      const client = new NodeClient(near, { version: VERSION, clock, timeoutMs: 100 });
      const asked = Promise.allSettled([client.pull(), client.publish(Uint8Array.of(1))]);
      for (const { event: id, body } of messages) {
        far.send(segment(new Uint8Array([id >> 8, id & 0xff, ...body]))).catch(() => undefined);
      }
      await clock.advance(200);
      for (const outcome of await asked) {
        if (outcome.status === 'rejected')
          expect(outcome.reason).toHaveProperty('code', expect.stringMatching(/^(CLIENT|LINK)_/));
      }
    }),
    { numRuns: 100 },
  );
});
