import fc from 'fast-check';
import { EntryType } from '@discovery-raft/raft-core';
import { encodeEntry } from '../src/codec/entry-codec.js';
import { type SharedList } from '../src/index.js';
import { LogHarness, plain } from './fixtures/log-harness.js';
import { attestationBy, packetOf, textList } from './fixtures/text-schema.js';

/** One entry of an arbitrary log: as no honest leader would write it. References are to earlier entries. */
const step = fc.record({
  identity: fc.constantFrom('a', 'b'),
  expiration: fc.integer({ min: 1, max: 3 }),
  back: fc.integer({ min: 0, max: 6 }),
  originBack: fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined }),
  kind: fc.constantFrom('record', 'record', 'record', 'removal', 'marker', 'junk'),
});

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function encodeStep({ identity, expiration, back, originBack, kind }: Step, index: number): Uint8Array {
  if (kind === 'junk') return Uint8Array.of(0xff, index & 0xff);
  if (kind === 'marker') return encodeEntry({ round: index });
  const deleteIndex = back === 0 ? 0 : Math.max(0, index - back);
  const origin = originBack === undefined ? 0 : Math.max(0, deleteIndex - originBack);
  if (kind === 'removal') return encodeEntry({ deleteIndex, origin });
  return encodeEntry({
    packet: packetOf(identity, expiration),
    attestations: [attestationBy('x')],
    deleteIndex,
    origin,
  });
}

/** What a replica holds that had applied `prefix` entries, and got the others as the log is after `asOf` entries. */
function lagging(log: LogHarness, prefix: number, asOf: (index: number) => number): SharedList {
  const list = textList();
  for (const entry of log.entries) {
    const redactedBy = log.redactedBy.get(entry.index);
    const tombstone = redactedBy !== undefined && entry.index > prefix && redactedBy <= asOf(entry.index);
    if (!tombstone) list.apply({ ...entry, type: EntryType.command }, { redact() {} });
  }
  return list;
}

describe('redaction', () => {
  it('leaves a log from which a replica that lags comes to the same list, wherever it stood', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 30 }),
        fc.array(fc.nat(30), { minLength: 31, maxLength: 31 }),
        (steps, lags) => {
          const log = new LogHarness();
          for (const one of steps) log.append(encodeStep(one, log.lastIndex + 1));
          const expected = plain(log.list);
          for (let prefix = 0; prefix <= log.lastIndex; prefix++) {
            expect(plain(lagging(log, prefix, () => log.lastIndex))).toEqual(expected);
            // Entries that came one by one, each as the log was some time after it was written.
            expect(plain(lagging(log, prefix, (index) => index + (lags[index % 31] ?? 0)))).toEqual(expected);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('needs the origin: a chain of updates whose middle is gone still deletes its beginning', () => {
    const log = new LogHarness();
    const packet = packetOf('a', 10);
    log.append(encodeEntry({ packet }));
    log.append(encodeEntry({ packet, deleteIndex: 1, origin: 1 }));
    log.append(encodeEntry({ packet, deleteIndex: 2, origin: 1 }));
    log.append(encodeEntry({ deleteIndex: 3, origin: 1 }));
    expect([...log.redactedBy.keys()]).toEqual([1, 2, 3]);
    expect(lagging(log, 1, () => 4).size).toBe(0);
  });

  it('spares what deleted something when a leader without origins supersedes it', () => {
    const log = new LogHarness();
    const packet = packetOf('a', 10);
    log.append(encodeEntry({ packet }));
    log.append(encodeEntry({ packet, deleteIndex: 1 }));
    log.append(encodeEntry({ packet, deleteIndex: 2 }));
    expect([...log.redactedBy.keys()]).toEqual([1]);
    expect(log.list.size).toBe(1);
  });

  it('keeps the log as long as the list, however often the list changes', () => {
    const log = new LogHarness();
    const packet = packetOf('a', 10, 'x'.repeat(1000));
    log.append(encodeEntry({ packet }));
    for (let i = 0; i < 200; i++) log.append(encodeEntry({ packet, deleteIndex: log.lastIndex, origin: 1 }));
    expect(log.list.size).toBe(1);
    expect(log.logBytes).toBeLessThan(1100 + 200 * 32);
  });
});
