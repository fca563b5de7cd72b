import { SimulatedClock } from '@discovery-raft/raft-core';
import { decodeEntry } from '../src/codec/entry-codec.js';
import {
  DEFAULT_LIST_LIMITS,
  ListWriter,
  type ListError,
  type ListWriterOptions,
  type UpsertOutcome,
} from '../src/index.js';
import { LogHarness, plain } from './fixtures/log-harness.js';
import { newAttestation, packetOf } from './fixtures/text-schema.js';

function setUp(options: Partial<ListWriterOptions> = {}) {
  const clock = new SimulatedClock();
  const log = new LogHarness();
  const writer = new ListWriter({ list: log.list, propose: log.propose, clock, attestationThreshold: 2, ...options });
  writer.takeOver();
  const written = () => log.entries.map(({ data }) => decodeEntry(data, DEFAULT_LIST_LIMITS));
  return { clock, log, writer, written };
}

const packet = packetOf('a', 100);
const newer = packetOf('a', 200);

/** Tells of an upsert in the order in which it is told. */
function teller() {
  const heard: string[] = [];
  const told = ({ kind }: UpsertOutcome): void => void heard.push(kind);
  const failed = (error: Error): void => void heard.push((error as ListError).code);
  return { heard, told, failed };
}

describe('upsertThen', () => {
  it('tells each who asked, once and not before it returns: of what is written, and of what is there', async () => {
    const { clock, log, writer } = setUp();
    const { heard, told, failed } = teller();
    log.hold = true;
    for (const name of ['x', 'y']) writer.upsertThen(packet, newAttestation(name), undefined, told, failed);
    log.commit();
    await clock.advance(0);
    expect(heard).toEqual(['written', 'written']);
    writer.upsertThen(packet, newAttestation('x'), undefined, told, failed);
    writer.upsertThen(new Uint8Array(0), newAttestation('x'), undefined, told, failed);
    expect(heard).toHaveLength(2);
    await clock.advance(0);
    expect(heard.slice(2).toSorted()).toEqual(['LIST_PACKET_INVALID', 'unchanged']);
    writer.stepDown();
    await clock.advance(1000);
    expect(heard).toHaveLength(4);
  });

  it('proposes without a promise where it can, and is told while the entry is applied', async () => {
    const proposed: (() => void)[] = [];
    const { log, writer } = setUp({
      attestationThreshold: 1,
      proposeThen: (data, applied) =>
        void proposed.push(() => applied({ index: log.lastIndex + 1, response: log.append(data) })),
    });
    const { heard, told, failed } = teller();
    writer.upsertThen(packet, newAttestation('x'), { identity: 'a', expiration: 100 }, told, failed);
    expect(heard).toEqual([]);
    proposed[0]!();
    expect(heard).toEqual(['written']);
    expect(writer.pendingBytes).toBe(0);
  });

  it('tells everybody when the term ends; who asks again at that moment is told that there is none', async () => {
    const { clock, log, writer } = setUp();
    const { heard, told, failed } = teller();
    log.hold = true;
    const again = (error: Error): void => {
      failed(error);
      writer.upsertThen(packet, newAttestation('x'), undefined, told, failed);
    };
    writer.upsertThen(packet, [newAttestation('x'), newAttestation('y')], undefined, told, again);
    writer.upsertThen(newer, newAttestation('x'), undefined, told, again);
    writer.stepDown();
    expect(heard).toEqual(['LIST_LEADERSHIP_LOST', 'LIST_LEADERSHIP_LOST']);
    log.commit();
    await clock.advance(1000);
    expect(heard.slice(2)).toEqual(['LIST_NOT_LEADER', 'LIST_NOT_LEADER']);
  });
});

describe('upsert', () => {
  it('writes a lone attestation when the coalescing window is over, not before', async () => {
    const { clock, log, writer } = setUp();
    const outcome = writer.upsert(packet, newAttestation('x'));
    await clock.advance(49);
    expect(log.lastIndex).toBe(0);
    await clock.advance(1);
    await expect(outcome).resolves.toMatchObject({ kind: 'written', record: { index: 1, identity: 'a' } });
    expect(plain(log.list)).toMatchObject([{ attestations: ['x@1000'] }]);
    expect(writer.pendingBytes).toBe(0);
  });

  it('writes at once when the threshold is reached, and what comes later as an update of that', async () => {
    const { clock, log, writer, written } = setUp();
    const outcomes = ['x', 'y', 'z'].map((name) => writer.upsert(packet, newAttestation(name)));
    await clock.advance(0);
    expect(plain(log.list)).toMatchObject([{ index: 1, attestations: ['x@1000', 'y@1000'] }]);
    await clock.advance(250);
    expect(plain(log.list)).toMatchObject([{ index: 2, attestations: ['x@1000', 'y@1000', 'z@1000'] }]);
    expect(written()).toMatchObject([{ deleteIndex: 0 }, { deleteIndex: 1, origin: 1 }]);
    expect((await Promise.all(outcomes)).map((outcome) => outcome.kind === 'written' && outcome.record.index)).toEqual([
      1, 1, 2,
    ]);
  });

  it('waits for all who may attest, and no longer than its time: one entry where there were two', async () => {
    const { clock, log, writer } = setUp({ attesters: 4 });
    for (const name of ['x', 'y', 'z']) void writer.upsert(packet, newAttestation(name));
    await clock.advance(40);
    expect(log.lastIndex).toBe(0);
    const last = writer.upsert(packet, newAttestation('w'));
    await clock.resolve(last, 0);
    expect(plain(log.list)).toMatchObject([{ index: 1, attestations: ['x@1000', 'y@1000', 'z@1000', 'w@1000'] }]);
    const other = packetOf('b', 100);
    for (const name of ['x', 'y', 'z']) void writer.upsert(other, newAttestation(name));
    await clock.advance(49);
    expect(log.lastIndex).toBe(1);
    await clock.advance(1);
    expect(log.list.get('b')).toMatchObject([{ attesters: ['x', 'y', 'z'] }]);
    await clock.resolve(writer.upsert(other, newAttestation('w')), 0);
    expect(log.list.get('b')).toMatchObject([{ attesters: ['x', 'y', 'z', 'w'] }]);
    expect(log.lastIndex).toBe(3);
  });

  it('waits for nobody when all have attested, also while a write of the packet is in flight', async () => {
    const { clock, log, writer } = setUp({ attesters: () => 3 });
    log.hold = true;
    const outcomes = ['x', 'y'].map((name) => writer.upsert(packet, newAttestation(name)));
    await clock.advance(50);
    outcomes.push(writer.upsert(packet, newAttestation('z')));
    log.hold = false;
    log.commit();
    await clock.resolve(Promise.all(outcomes), 0);
    expect(plain(log.list)).toMatchObject([{ index: 2, attestations: ['x@1000', 'y@1000', 'z@1000'] }]);
    expect(() => setUp({ attesters: 0 })).toThrow(expect.objectContaining({ code: 'LIST_OPTION_INVALID' }));
  });

  it('takes several attestations in one call', async () => {
    const { clock, log, writer } = setUp();
    const outcome = writer.upsert(packet, [newAttestation('x'), newAttestation('y')]);
    await clock.resolve(outcome, 0);
    expect(plain(log.list)).toMatchObject([{ attestations: ['x@1000', 'y@1000'] }]);
  });

  it('writes nothing for what the list holds already', async () => {
    const { clock, log, writer } = setUp({ coalesceMs: 0 });
    await writer.upsert(packet, newAttestation('x'));
    await expect(writer.upsert(packet, newAttestation('x'))).resolves.toMatchObject({ kind: 'unchanged' });
    await expect(writer.upsert(packet, newAttestation('x', 900))).resolves.toMatchObject({ kind: 'unchanged' });
    await clock.advance(100);
    expect(log.lastIndex).toBe(1);
  });

  it('replaces the attestation of the same attester by one that holds longer', async () => {
    const { log, writer } = setUp({ coalesceMs: 0 });
    await writer.upsert(packet, newAttestation('x'));
    await writer.upsert(packet, newAttestation('y'));
    await writer.upsert(packet, newAttestation('x', 2000));
    expect(plain(log.list)).toMatchObject([{ index: 3, attestations: ['x@2000', 'y@1000'] }]);
  });

  it('begins a newer packet beside the older, which goes when the newer has the threshold', async () => {
    const { log, writer, written } = setUp({ coalesceMs: 0, attestationThreshold: () => 2 });
    await writer.upsert(packet, [newAttestation('x'), newAttestation('y')]);
    await writer.upsert(newer, newAttestation('x'));
    expect(plain(log.list)).toMatchObject([{ expiration: 100 }, { expiration: 200 }]);
    await writer.upsert(packet, newAttestation('z'));
    expect(log.list.get('a')).toHaveLength(2);
    await writer.upsert(newer, newAttestation('y'));
    await Promise.resolve();
    expect(plain(log.list)).toMatchObject([{ expiration: 200, attestations: ['x@1000', 'y@1000'] }]);
    expect(written().at(-1)).toMatchObject({ deleteIndex: 3, origin: 1 });
    expect([...log.redactedBy.keys()].toSorted((a, b) => a - b)).toEqual([1, 2, 3]);
  });

  it('writes a newer packet that comes complete in the place of the older one: one entry, and no removal', async () => {
    const { clock, log, writer, written } = setUp();
    await clock.resolve(writer.upsert(packet, [newAttestation('x'), newAttestation('y')]), 0);
    await clock.resolve(writer.upsert(newer, [newAttestation('x'), newAttestation('y')]), 0);
    await clock.advance(100);
    expect(plain(log.list)).toMatchObject([{ index: 2, expiration: 200, attestations: ['x@1000', 'y@1000'] }]);
    expect(written()).toMatchObject([{ deleteIndex: 0 }, { deleteIndex: 1, origin: 1 }]);
    expect([...log.redactedBy]).toEqual([[1, 2]]);
  });

  it('says stale of a packet that is not newer than what is there', async () => {
    const { log, writer } = setUp({ coalesceMs: 0 });
    await writer.upsert(newer, newAttestation('x'));
    await expect(writer.upsert(packet, newAttestation('y'))).resolves.toMatchObject({
      kind: 'stale',
      newest: { index: 1 },
    });
    const rival = packetOf('a', 200, 'another of the same age');
    await expect(writer.upsert(rival, newAttestation('y'))).resolves.toMatchObject({ kind: 'stale' });
    expect(log.lastIndex).toBe(1);
  });

  it('waits with an update while the original is in flight, and merges what comes meanwhile', async () => {
    const { clock, log, writer, written } = setUp({ coalesceMs: 0 });
    log.hold = true;
    const outcomes = ['v', 'w', 'x', 'y'].map((name) => writer.upsert(packet, newAttestation(name)));
    const other = writer.upsert(packetOf('b', 1), newAttestation('v'));
    expect(log.held).toHaveLength(2);
    log.commit();
    await clock.advance(0);
    expect(log.held).toHaveLength(1);
    log.commit();
    await Promise.all([...outcomes, other]);
    expect(written().map((entry) => [entry?.attestations.length, entry?.deleteIndex])).toEqual([
      [1, 0],
      [1, 0],
      [4, 1],
    ]);
  });

  it('unites records of the same packet that another leader left', async () => {
    const { clock, log, writer } = setUp({ coalesceMs: 0 });
    const rival = new ListWriter({ ...writerOptions(log, clock), coalesceMs: 0 });
    rival.takeOver();
    log.hold = true;
    const outcomes = [writer.upsert(packet, newAttestation('x')), rival.upsert(packet, newAttestation('y'))];
    log.hold = false;
    log.commit();
    await Promise.all(outcomes);
    expect(log.list.get('a')).toHaveLength(2);
    await writer.upsert(packet, newAttestation('z'));
    await clock.advance(0);
    expect(plain(log.list)).toMatchObject([{ attestations: ['y@1000', 'x@1000', 'z@1000'] }]);
  });

  it('takes attestations that the packet does not need into one write, five times as long, or to the next marker', async () => {
    const { clock, log, writer } = setUp();
    const needed = ['v', 'w'].map((name) => writer.upsert(packet, newAttestation(name)));
    await clock.resolve(Promise.all(needed), 0);
    const late = [writer.upsert(packet, newAttestation('x'))];
    await clock.advance(200);
    late.push(writer.upsert(packet, newAttestation('y')));
    await clock.advance(49);
    expect(log.lastIndex).toBe(1);
    await clock.advance(1);
    await Promise.all(late);
    expect(log.lastIndex).toBe(2);
    const last = writer.upsert(packet, newAttestation('z'));
    const { view } = await clock.resolve(writer.freeze(1), 0);
    await clock.resolve(last, 0);
    expect([...view.entries()].map(({ attesters }) => attesters)).toEqual([['v', 'w', 'x', 'y', 'z']]);
  });

  it('lets attestations that the packet does not need wait as long as it is told, or not at all', async () => {
    const patient = setUp({ coalesceMs: 0, lateCoalesceMs: 1000 });
    void patient.writer.upsert(packet, [newAttestation('v'), newAttestation('w')]);
    await patient.clock.advance(0);
    const late = ['x', 'y'].map((name) => patient.writer.upsert(packet, newAttestation(name)));
    await patient.clock.advance(999);
    expect(patient.log.lastIndex).toBe(1);
    await patient.clock.resolve(Promise.all(late), 1);
    expect(patient.log.lastIndex).toBe(2);
    const hasty = setUp({ lateCoalesceMs: 0 });
    void hasty.writer.upsert(packet, [newAttestation('v'), newAttestation('w')]);
    await hasty.clock.advance(0);
    await hasty.clock.resolve(hasty.writer.upsert(packet, newAttestation('x')), 0);
    expect(hasty.log.lastIndex).toBe(2);
  });

  it('costs one or two writes an item, not one an attestation', async () => {
    const { clock, log, writer } = setUp();
    const outcomes: Promise<unknown>[] = [];
    for (const name of ['x', 'y', 'z']) {
      for (let i = 0; i < 500; i++) outcomes.push(writer.upsert(packetOf(`id${i}`, 100), newAttestation(name)));
      await clock.advance(10);
    }
    await clock.advance(250);
    await Promise.all(outcomes);
    expect(log.lastIndex).toBe(1000);
    expect(log.list.size).toBe(500);
    expect(writer.pendingBytes).toBe(0);
  });
});

function writerOptions(log: LogHarness, clock: SimulatedClock): ListWriterOptions {
  return { list: log.list, propose: log.propose, clock, attestationThreshold: 2 };
}

describe('remove', () => {
  it('removes all packets of an identity, after what was asked for before', async () => {
    const { clock, log, writer } = setUp();
    const before = writer.upsert(packet, newAttestation('x'));
    const removed = writer.remove('a');
    const after = writer.upsert(newer, newAttestation('x'));
    await expect(removed).resolves.toBe(1);
    await expect(before).resolves.toMatchObject({ kind: 'written' });
    await clock.resolve(after, 50);
    expect(plain(log.list)).toMatchObject([{ expiration: 200 }]);
  });

  it('of an identity that is not there removes nothing', async () => {
    const { log, writer } = setUp();
    await expect(writer.remove('nobody')).resolves.toBe(0);
    expect(log.lastIndex).toBe(0);
  });
});

describe('expire', () => {
  it('removes what has expired, and older packets beside a complete one that holds', async () => {
    const { log, writer } = setUp({ coalesceMs: 0, attestationThreshold: () => threshold });
    let threshold = 3;
    await writer.upsert(packet, newAttestation('x'));
    await writer.upsert(newer, [newAttestation('x'), newAttestation('y')]);
    await writer.upsert(packetOf('b', 150), newAttestation('x'));
    await writer.upsert(packetOf('c', 151), newAttestation('x'));
    await expect(writer.expire(99)).resolves.toBe(0);
    threshold = 2;
    await expect(writer.expire(99)).resolves.toBe(1);
    await expect(writer.expire(150)).resolves.toBe(1);
    expect(plain(log.list)).toMatchObject([{ identity: 'a', expiration: 200 }, { identity: 'c' }]);
  });

  it('keeps the older packet while the newer one counts on attestations that have expired', async () => {
    const { log, writer } = setUp({ coalesceMs: 0, attestationThreshold: () => threshold });
    let threshold = 3;
    await writer.upsert(packet, newAttestation('x'));
    await writer.upsert(newer, [newAttestation('x', 50), newAttestation('y')]);
    threshold = 2;
    await expect(writer.expire(50)).resolves.toBe(0);
    await expect(writer.expire(49)).resolves.toBe(1);
    expect(log.list.size).toBe(1);
  });

  it('clears a large list in turns of the event loop', async () => {
    const { clock, log, writer } = setUp({ coalesceMs: 0 });
    for (let i = 0; i < 20_000; i++) void writer.upsert(packetOf(`id${i}`, 100), newAttestation('x'));
    await clock.advance(0);
    expect(log.list.size).toBe(20_000);
    await expect(clock.resolve(writer.expire(100), 0)).resolves.toBe(20_000);
    expect(log.list).toMatchObject({ size: 0, liveBytes: 0 });
    expect(writer.pendingBytes).toBe(0);
  });
});

describe('freeze', () => {
  it('first writes what waits, then marks the index', async () => {
    const { log, writer } = setUp();
    void writer.upsert(packet, newAttestation('x'));
    void writer.upsert(packetOf('b', 1), newAttestation('x'));
    const frozen = await writer.freeze(42);
    expect(frozen).toMatchObject({ round: 42, index: 3, view: { index: 3, size: 2 } });
    await writer.remove('a');
    expect(frozen.view.size).toBe(2);
    expect(log.list.lastFrozen).toEqual(frozen);
  });
});

describe('hold', () => {
  it('keeps everything behind a marker from the log until it is released, and then writes it in order', async () => {
    const { clock, log, writer, written } = setUp({ coalesceMs: 0 });
    const waiting = writer.upsert(packet, newAttestation('x'));
    const freezing = writer.freeze(1);
    const release = writer.hold();
    const held = [
      writer.upsert(packetOf('b', 9), newAttestation('x')),
      writer.upsert(packet, newAttestation('y')),
      writer.remove('a'),
    ];
    await clock.advance(1000);
    const { index } = await freezing;
    await waiting;
    expect(log.lastIndex).toBe(index);
    expect(plain(log.list)).toMatchObject([{ identity: 'a', attestations: ['x@1000'] }]);
    // A marker goes past it.
    await expect(writer.freeze(2)).resolves.toMatchObject({ index: index + 1 });
    release();
    release();
    await Promise.all(held);
    expect(plain(log.list)).toMatchObject([{ identity: 'b' }]);
    expect(written().map((entry) => entry?.round)).toEqual([0, 1, 2, 0, 0, 0]);
    expect(writer.pendingBytes).toBe(0);
  });

  it('lasts until the last of several is released', async () => {
    const { clock, log, writer } = setUp({ coalesceMs: 0 });
    const [first, second] = [writer.hold(), writer.hold()];
    const held = writer.upsert(packet, newAttestation('x'));
    first();
    first();
    await clock.advance(1);
    expect(log.lastIndex).toBe(0);
    second();
    await expect(held).resolves.toMatchObject({ kind: 'written' });
  });

  it('ends with the term: what was held back is rejected and never written', async () => {
    const { log, writer } = setUp({ coalesceMs: 0 });
    const release = writer.hold();
    const held = writer.upsert(packet, newAttestation('x'));
    writer.stepDown();
    release();
    await expect(held).rejects.toMatchObject({ code: 'LIST_LEADERSHIP_LOST' });
    writer.takeOver();
    await expect(writer.upsert(newer, newAttestation('x'))).resolves.toMatchObject({ kind: 'written' });
    expect(log.lastIndex).toBe(1);
  });

  it('holds nothing while the node does not lead', async () => {
    const { writer } = setUp({ coalesceMs: 0 });
    writer.stepDown();
    writer.hold();
    writer.takeOver();
    await expect(writer.upsert(packet, newAttestation('x'))).resolves.toMatchObject({ kind: 'written' });
  });

  it('what is held back counts as pending', async () => {
    const { writer } = setUp({ coalesceMs: 0, maxPendingBytes: 400 });
    writer.hold();
    void writer.upsert(packet, newAttestation('x')).catch(() => undefined);
    await expect(writer.upsert(packetOf('b', 1, 'x'.repeat(300)), newAttestation('x'))).rejects.toMatchObject({
      code: 'LIST_OVERLOADED',
    });
    writer.stepDown();
  });
});

describe('limits', () => {
  it('bounds the bytes that wait, and forgets them when they are written', async () => {
    const { clock, writer } = setUp({ maxPendingBytes: 200 });
    const first = writer.upsert(packet, newAttestation('x'));
    await expect(writer.upsert(packetOf('b', 1, 'x'.repeat(100)), newAttestation('x'))).rejects.toMatchObject({
      code: 'LIST_OVERLOADED',
      retryable: true,
      details: { outcome: 'notAppended' },
    });
    await clock.resolve(first, 50);
    expect(writer.pendingBytes).toBe(0);
  });

  it('bounds the packets of an identity', async () => {
    const { writer, log } = setUp({ maxRecordsPerIdentity: 2, coalesceMs: 0 });
    await writer.upsert(packet, newAttestation('x'));
    log.hold = true;
    const second = writer.upsert(newer, newAttestation('x'));
    await expect(writer.upsert(packetOf('a', 300), newAttestation('x'))).rejects.toMatchObject({
      code: 'LIST_TOO_MANY_RECORDS',
    });
    const more = writer.upsert(newer, newAttestation('y'));
    log.hold = false;
    log.commit();
    await expect(Promise.all([second, more])).resolves.toHaveLength(2);
  });

  it('bounds the attestations of a record', async () => {
    const clock = new SimulatedClock();
    const log = new LogHarness({ limits: { maxAttestations: 2 } });
    const writer = new ListWriter({ ...writerOptions(log, clock), coalesceMs: 0 });
    writer.takeOver();
    await writer.upsert(packet, [newAttestation('x'), newAttestation('y')]);
    await expect(writer.upsert(packet, newAttestation('z'))).rejects.toMatchObject({
      code: 'LIST_TOO_MANY_ATTESTATIONS',
    });
    await expect(writer.upsert(packet, newAttestation('x', 2000))).resolves.toMatchObject({ kind: 'written' });
  });

  it.each([
    ['a packet over the limit', new Uint8Array(65_537), newAttestation('x'), 'LIST_PACKET_TOO_LARGE'],
    ['an empty packet', new Uint8Array(0), newAttestation('x'), 'LIST_PACKET_INVALID'],
    ['a packet of no schema', Uint8Array.of(0xff), newAttestation('x'), 'LIST_PACKET_INVALID'],
    ['an attestation of nobody', packet, newAttestation(''), 'LIST_ATTESTATION_INVALID'],
    ['an expiration that is no integer', packet, newAttestation('x', 0.5), 'LIST_ATTESTATION_INVALID'],
    ['a certificate over the limit', packet, newAttestation('x'.repeat(20_000)), 'LIST_ATTESTATION_INVALID'],
  ])('refuses %s', async (_name, bytes, attestation, code) => {
    const { writer } = setUp();
    await expect(writer.upsert(bytes, attestation)).rejects.toMatchObject({ name: 'ListError', code });
    expect(writer.pendingBytes).toBe(0);
  });

  it('refuses options out of their range', () => {
    expect(() => setUp({ coalesceMs: -1 })).toThrow(expect.objectContaining({ code: 'LIST_OPTION_INVALID' }));
    expect(() => setUp({ lateCoalesceMs: 0.5 })).toThrow(expect.objectContaining({ code: 'LIST_OPTION_INVALID' }));
    expect(() => setUp({ attestationThreshold: 0 })).toThrow(expect.objectContaining({ code: 'LIST_OPTION_INVALID' }));
    expect(() => new LogHarness({ limits: { maxPacketBytes: 0 } })).toThrow('LIST_OPTION_INVALID');
  });
});
