import { crc32 } from 'node:zlib';
import { hash } from 'node:crypto';
import fc from 'fast-check';
import { EntryType, type LogEntry } from '@discovery-raft/raft-core';
import { encodeEntry } from '../src/codec/entry-codec.js';
import { DEFAULT_LIST_LIMITS, SharedList } from '../src/index.js';
import { LogHarness } from './fixtures/log-harness.js';
import { attestationBy, packetOf, sha256, textList, textSchema } from './fixtures/text-schema.js';

/** One entry of an arbitrary log; references are to earlier entries, and some bytes are none that an honest leader writes. */
const step = fc.record({
  kind: fc.constantFrom('record', 'record', 'record', 'removal', 'marker', 'junk'),
  identity: fc.constantFrom('a', 'b', 'c'),
  expiration: fc.integer({ min: 1, max: 3 }),
  attesters: fc.array(fc.constantFrom('x', 'y', ''), { maxLength: 3 }),
  back: fc.integer({ min: 0, max: 6 }),
  originBack: fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined }),
  /** An unknown field behind the others: the same record, in other bytes. */
  odd: fc.boolean(),
});
const steps = fc.array(step, { minLength: 1, maxLength: 25 });

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function encodeStep({ kind, identity, expiration, attesters, back, originBack, odd }: Step, index: number): Uint8Array {
  if (kind === 'junk') return Uint8Array.of(0xff, index & 0xff);
  if (kind === 'marker') return encodeEntry({ round: index });
  const deleteIndex = back === 0 ? 0 : Math.max(0, index - back);
  const origin = originBack === undefined ? 0 : Math.max(0, deleteIndex - originBack);
  if (kind === 'removal') return encodeEntry({ deleteIndex, origin });
  const attestations = attesters.map((name, i) => attestationBy(name, 1000 + i));
  const bytes = encodeEntry({ packet: packetOf(identity, expiration), attestations, deleteIndex, origin });
  return odd ? Buffer.concat([bytes, Uint8Array.of(0x78, 1)]) : bytes;
}

/** A log with the digest and chain of a replica that applied every entry as it came. */
function applied(all: readonly Step[]): { log: LogHarness; digests: Uint8Array[]; chains: Uint8Array[] } {
  const log = new LogHarness();
  const digests = [log.list.view().digest()];
  const chains = [log.list.view().chain];
  for (const one of all) {
    log.append(encodeStep(one, log.lastIndex + 1));
    digests.push(log.list.view().digest());
    chains.push(log.list.view().chain);
  }
  return { log, digests, chains };
}

function tombstoneOf({ index, term, data }: LogEntry): LogEntry {
  return { index, term, type: EntryType.tombstone, data: sha256Bytes(data) };
}

async function restoredFrom(list: SharedList): Promise<SharedList> {
  const chunks: Uint8Array[] = [];
  await list.snapshot().persist((chunk) => void chunks.push(chunk));
  const fresh = textList();
  await fresh.restore(
    (async function* () {
      yield* chunks;
    })(),
  );
  return fresh;
}

describe('the digest of a state', () => {
  it('is equal at each index on replicas that came there by any mixture of entries, tombstones and snapshots', async () => {
    const at = fc.array(fc.nat(25), { minLength: 26, maxLength: 26 });
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.nat(25),
        at,
        fc.array(fc.boolean(), { minLength: 26 }),
        async (all, prefix, lags, saves) => {
          const { log, digests, chains } = applied(all);
          let replica = textList();
          let incompleteUntil = 0;
          for (const entry of log.entries) {
            const { index } = entry;
            const redactedBy = log.redactedBy.get(index);
            const isGone = redactedBy !== undefined && index > prefix && redactedBy <= index + lags[index]!;
            if (isGone) {
              incompleteUntil = Math.max(incompleteUntil, redactedBy);
              replica.applyTombstone(tombstoneOf(entry));
            } else replica.apply(entry, { redact() {} });
            const view = replica.view();
            expect(view.chain).toEqual(chains[index]);
            // As in Raft: who lacks entries shows nothing, and takes no snapshot.
            if (incompleteUntil > index) continue;
            expect(view.digest()).toEqual(digests[index]);
            if (saves[index] === true) replica = await restoredFrom(replica);
            expect(replica.view().digest()).toEqual(digests[index]);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('is the same in steps, wherever the work is left, and while others walk over the same view', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 4 }), (all, recordsPerStep) => {
        const { log, digests } = applied(all);
        const replica = textList();
        for (const entry of log.entries) replica.apply(entry, { redact() {} });
        const view = replica.view();
        const other = view.entries()[Symbol.iterator]();
        const work = view.digestSteps(recordsPerStep);
        let pauses = 0;
        let step = work.next();
        for (; step.done !== true; step = work.next()) {
          pauses++;
          other.next();
        }
        expect(step.value).toEqual(digests.at(-1));
        expect(pauses).toBe(Math.floor(view.size / recordsPerStep));
        const indexes = [view, log.list.view()].map((each) => [...each.entries()].map(({ index }) => index));
        expect(indexes[0]).toEqual(indexes[1]);
      }),
      { numRuns: 100 },
    );
  });

  it('differs for ever where any one entry was another, was left out or came at another place', () => {
    fc.assert(
      fc.property(steps, steps, fc.nat(), (all, others, position) => {
        const { log, digests } = applied(all);
        const changed = Math.min(position % all.length, all.length - 1) + 1;
        const replacement = encodeStep(others[0]!, changed);
        fc.pre(!Buffer.from(log.entries[changed - 1]!.data).equals(replacement));
        const [other, without] = [textList(), textList()];
        for (const entry of log.entries) {
          other.apply(entry.index === changed ? { ...entry, data: replacement } : entry, { redact() {} });
          if (entry.index !== changed) without.apply(entry, { redact() {} });
          if (entry.index < changed) continue;
          expect(other.view().digest()).not.toEqual(digests[entry.index]);
          expect(without.view().digest()).not.toEqual(digests[entry.index]);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('differs where the log is the same and what came of it is not: limits, schema, terms', () => {
    const log = new LogHarness();
    const attestations = ['x', 'y'].map((name) => attestationBy(name));
    log.append(encodeEntry({ packet: packetOf('a', 10), attestations }));
    const replicas = {
      limits: new SharedList({
        schema: textSchema,
        sha256,
        crc32,
        limits: { ...DEFAULT_LIST_LIMITS, maxAttestations: 1 },
      }),
      packets: new SharedList({ schema: { ...textSchema, describe: () => undefined }, sha256, crc32 }),
      attesters: new SharedList({ schema: { ...textSchema, attester: () => 'x' }, sha256, crc32 }),
    };
    for (const replica of Object.values(replicas)) {
      replica.apply(log.entries[0]!, { redact() {} });
      expect(replica.view().chain).toEqual(log.list.view().chain);
      expect(replica.view().digest()).not.toEqual(log.list.view().digest());
    }
    const laterTerm = textList();
    laterTerm.apply({ ...log.entries[0]!, term: 2 }, { redact() {} });
    expect(laterTerm.view().digest()).not.toEqual(log.list.view().digest());
  });

  it('is the one written down here, over more than one block of records', () => {
    const log = new LogHarness();
    expect(hex(log.list.view().digest())).toBe(EMPTY_STATE);
    for (let i = 0; i < 1500; i++) log.append(encodeEntry({ packet: packetOf(`id${i}`, 10) }));
    const view = log.list.view();
    const place = (index: number): Buffer => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64BE(BigInt(index));
      return bytes;
    };
    let chain = Buffer.alloc(32);
    for (const { index, data } of log.entries) {
      chain = Buffer.from(sha256Bytes(Buffer.concat([Buffer.of(1), chain, place(index), place(1), sha256Bytes(data)])));
    }
    const places = [...view.entries()].map(({ index }) =>
      Buffer.concat([place(index), sha256Bytes(log.entries[index - 1]!.data)]),
    );
    const blocks = [places.slice(0, 1024), places.slice(1024)].map((block) =>
      sha256Bytes(Buffer.concat([Buffer.of(2), ...block])),
    );
    const state = Buffer.concat([Buffer.of(3), place(1500), place(1500), chain, ...blocks]);
    expect(hex(view.chain)).toBe(hex(chain));
    expect(hex(view.digest())).toBe(hex(sha256Bytes(state)));
  });
});

const EMPTY_STATE = hex(sha256Bytes(Buffer.concat([Buffer.of(3), Buffer.alloc(8 + 8 + 32)])));

function sha256Bytes(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer');
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
