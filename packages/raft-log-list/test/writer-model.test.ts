import fc from 'fast-check';
import { SimulatedClock } from '@discovery-raft/raft-core';
import { decodeEntry } from '../src/codec/entry-codec.js';
import { DEFAULT_LIST_LIMITS, ListWriter } from '../src/index.js';
import { LogHarness } from './fixtures/log-harness.js';
import { newAttestation, packetOf } from './fixtures/text-schema.js';

const action = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('upsert' as const),
      identity: fc.constantFrom('a', 'b'),
      expiration: fc.integer({ min: 1, max: 3 }),
      attester: fc.constantFrom('w', 'x', 'y', 'z'),
      until: fc.integer({ min: 100, max: 102 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('commit' as const), count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fail' as const), late: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('newTerm' as const) }) },
);

describe('a writer under random upserts, commits, failures and changes of leader', () => {
  it('loses no attestation it confirmed, and never names an original twice', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { maxLength: 40 }),
        fc.integer({ min: 1, max: 4 }),
        async (actions, threshold) => {
          const clock = new SimulatedClock();
          const log = new LogHarness();
          log.hold = true;
          const writer = new ListWriter({
            list: log.list,
            propose: log.propose,
            clock,
            attestationThreshold: threshold,
          });
          writer.takeOver();
          const confirmed: { identity: string; expiration: number; attester: string; until: number }[] = [];
          let open = 0;
          for (const one of actions) {
            if (one.kind === 'upsert') {
              open++;
              const { identity, expiration, attester, until } = one;
              void writer.upsert(packetOf(identity, expiration), newAttestation(attester, until)).then(
                ({ kind }) => {
                  open--;
                  if (kind !== 'stale') confirmed.push(one);
                },
                () => void open--,
              );
            } else if (one.kind === 'commit') log.commit(one.count);
            else if (one.kind === 'advance') await clock.advance(one.ms);
            else if (one.kind === 'newTerm') {
              log.commit(); // what the term before had in flight is settled before the next takes over
              writer.takeOver();
            } else if (log.held.length > 0) {
              const { data } = log.fail('unknownOutcome');
              if (one.late) log.append(data);
            }
            await clock.advance(0);
          }
          log.hold = false;
          log.commit();
          await clock.advance(250);
          expect(open).toBe(0);
          expect(writer.pendingBytes).toBe(0);

          for (const { identity, expiration, attester, until } of confirmed) {
            const held = log.list.get(identity).find((record) => record.expiration === expiration);
            const superseded = log.list
              .get(identity)
              .some((record) => record.expiration > expiration && record.attestations.length >= threshold);
            const said = held?.attestations.find((attestation) => attestation.attester === attester);
            if (!superseded) expect(said?.expiration).toBeGreaterThanOrEqual(until);
          }
          const named = log.entries
            .map(({ data }) => decodeEntry(data, DEFAULT_LIST_LIMITS))
            .filter((entry) => entry !== undefined && entry.packet.length > 0 && entry.deleteIndex > 0)
            .map((entry) => entry?.deleteIndex);
          expect(new Set(named).size).toBe(named.length);
          for (const identity of ['a', 'b']) {
            const expirations = log.list.get(identity).map(({ expiration }) => expiration);
            expect(new Set(expirations).size).toBe(expirations.length);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
