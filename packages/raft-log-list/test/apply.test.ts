import { encodeEntry } from '../src/codec/entry-codec.js';
import { attestationBy, packetOf } from './fixtures/text-schema.js';
import { LogHarness, plain } from './fixtures/log-harness.js';

const insert = (identity: string, expiration = 10, attesters = ['x']) =>
  encodeEntry({ packet: packetOf(identity, expiration), attestations: attesters.map((name) => attestationBy(name)) });

describe('applying an entry', () => {
  it('inserts a record whose id is its log index', () => {
    const log = new LogHarness();
    expect(log.append(insert('a'))).toMatchObject({
      kind: 'inserted',
      record: { index: 1, identity: 'a' },
      replaced: [],
    });
    expect(log.list.get('a')).toHaveLength(1);
    expect(log.list.size).toBe(1);
  });

  it('replaces the original of an update, and lets its entry leave the log', () => {
    const log = new LogHarness();
    log.append(insert('a'));
    const update = { packet: packetOf('a', 10), attestations: [attestationBy('x'), attestationBy('y')] };
    log.append(encodeEntry({ ...update, deleteIndex: 1, origin: 1 }));
    expect(plain(log.list)).toMatchObject([{ index: 2, attestations: ['x@1000', 'y@1000'] }]);
    expect([...log.redactedBy]).toEqual([[1, 2]]);
  });

  it('gives the hash of an entry that leaves the log, so that nobody has to read it for that', () => {
    const log = new LogHarness();
    log.append(insert('a'));
    log.append(encodeEntry({ packet: packetOf('a', 11), deleteIndex: 1, origin: 1 }));
    log.append(encodeEntry({ deleteIndex: 2, origin: 1 }));
    expect([[...log.redactedBy.keys()], log.hashesGiven]).toEqual([[1, 2], 2]);
    // Other bytes than those of the record, which are kept: a field that nobody knows.
    log.append(Uint8Array.from([...insert('b'), 0x78, 1]));
    log.append(encodeEntry({ packet: packetOf('b', 11), deleteIndex: 4, origin: 4 }));
    expect([[...log.redactedBy.keys()], log.hashesGiven]).toEqual([[1, 2, 4], 2]);
  });

  it('removes a record; the removal itself stays in the log', () => {
    const log = new LogHarness();
    log.append(insert('a'));
    expect(log.append(encodeEntry({ deleteIndex: 1, origin: 1 }))).toMatchObject({
      kind: 'deleted',
      records: [{ index: 1 }],
    });
    log.append(insert('b'));
    expect(log.list.get('a')).toEqual([]);
    expect([...log.redactedBy]).toEqual([[1, 2]]);
  });

  it.each([
    ['dead already', 1],
    ['of another identity', 3],
    ['unknown', 77],
    ['its own', 4],
  ])('inserts beside when the named original is %s', (_name, deleteIndex) => {
    const log = new LogHarness();
    log.append(insert('a'));
    log.append(encodeEntry({ deleteIndex: 1 }));
    log.append(insert('b'));
    const result = log.append(encodeEntry({ packet: packetOf('a', 20), deleteIndex }));
    expect(result).toMatchObject({ kind: 'inserted', replaced: [] });
    expect(log.list.size).toBe(2);
  });

  it('takes a view at a freeze marker', () => {
    const log = new LogHarness();
    log.append(insert('a'));
    const frozen = log.append(encodeEntry({ round: 7 }));
    log.append(insert('b'));
    expect(frozen).toMatchObject({ kind: 'frozen', round: 7, index: 2 });
    if (frozen.kind === 'frozen') expect(plain(frozen.view)).toMatchObject([{ identity: 'a' }]);
    expect(log.list.lastFrozen).toMatchObject({ round: 7, index: 2 });
  });

  const packet = packetOf('a', 10);
  it.each([
    ['bytes that are no entry', Uint8Array.of(0xff), 'malformed'],
    ['a marker with a packet', encodeEntry({ packet, round: 1 }), 'malformed'],
    ['a marker that deletes', encodeEntry({ round: 1, deleteIndex: 1 }), 'malformed'],
    ['a removal with attestations', encodeEntry({ deleteIndex: 1, attestations: [attestationBy('x')] }), 'malformed'],
    ['an origin after the original', encodeEntry({ packet, deleteIndex: 1, origin: 2 }), 'malformed'],
    ['an origin without original', encodeEntry({ packet, origin: 1 }), 'malformed'],
    ['a removal that is too long', Uint8Array.from([0x18, 1, 0x7a, 80, ...new Uint8Array(80)]), 'malformed'],
    ['a packet that the schema refuses', encodeEntry({ packet: Uint8Array.of(65) }), 'unknownPacket'],
    ['a packet that the schema throws at', encodeEntry({ packet: Uint8Array.of(0xff) }), 'unknownPacket'],
    ['a packet of nobody', encodeEntry({ packet: packetOf('', 10) }), 'unknownPacket'],
    ['an expiration that is no integer', encodeEntry({ packet: packetOf('a', 1.5) }), 'unknownPacket'],
    ['an identity over the limit', encodeEntry({ packet: packetOf('a'.repeat(1025), 1) }), 'unknownPacket'],
    ['nothing', new Uint8Array(0), 'empty'],
    ['a removal of nothing', encodeEntry({ deleteIndex: 9 }), 'nothingToDelete'],
  ] as const)('ignores and counts %s', (_name, data, reason) => {
    const log = new LogHarness();
    log.append(insert('z'));
    const before = plain(log.list);
    expect(log.append(data)).toEqual({ kind: 'ignored', reason });
    expect(plain(log.list)).toEqual(before);
    expect(log.list.stats.ignored[reason]).toBe(1);
    log.append(new Uint8Array(0));
    const leavesTheLog = reason === 'malformed' || reason === 'unknownPacket';
    expect([...log.redactedBy]).toEqual(leavesTheLog ? [[2, 3]] : []);
  });

  it('keeps one attestation per attester, the one that holds longest, and drops those of nobody', () => {
    const log = new LogHarness();
    const attestations = [
      attestationBy('x', 5),
      attestationBy(''),
      attestationBy('y'),
      attestationBy('x', 9),
      attestationBy('x', 7),
    ];
    log.append(encodeEntry({ packet, attestations }));
    expect(plain(log.list)).toMatchObject([{ attestations: ['x@9', 'y@1000'] }]);
    const [record] = log.list.entries();
    expect([0, 8, 9, 999, 1000].map((second) => record!.holding(second))).toEqual([2, 2, 1, 1, 0]);
  });

  it('counts live bytes up and down', () => {
    const log = new LogHarness();
    log.append(insert('a'));
    const one = log.list.liveBytes;
    expect(one).toBe(32 + packetOf('a', 10).length + 16 + 1 + 3);
    log.append(insert('b'));
    expect(log.list.liveBytes).toBe(2 * one);
    log.append(encodeEntry({ deleteIndex: 1 }));
    log.append(encodeEntry({ deleteIndex: 2 }));
    expect(log.list.liveBytes).toBe(0);
  });
});
