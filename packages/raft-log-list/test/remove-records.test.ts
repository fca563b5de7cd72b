import { SimulatedClock } from '@discovery-raft/raft-core';
import { encodeEntry } from '../src/codec/entry-codec.js';
import { ListWriter } from '../src/index.js';
import { LiveRecord } from '../src/state/live-record.js';
import { LogHarness, plain } from './fixtures/log-harness.js';
import { newAttestation, packetOf } from './fixtures/text-schema.js';

function setUp() {
  const clock = new SimulatedClock();
  const log = new LogHarness();
  const writer = new ListWriter({
    list: log.list,
    propose: log.propose,
    clock,
    attestationThreshold: 2,
    coalesceMs: 0,
  });
  writer.takeOver();
  return { clock, log, writer };
}

describe('removeRecords', () => {
  it('takes out the records that are bad, and leaves the others of the identity', async () => {
    const { log, writer } = setUp();
    await writer.upsert(packetOf('a', 100), newAttestation('x'));
    await writer.upsert(packetOf('a', 900, 'forged'), newAttestation('x'));
    await expect(writer.removeRecords('a', ({ expiration }) => expiration === 900)).resolves.toBe(1);
    expect(plain(log.list)).toMatchObject([{ identity: 'a', expiration: 100 }]);
    await expect(writer.removeRecords('a', () => false)).resolves.toBe(0);
    await expect(writer.removeRecords('nobody', () => true)).resolves.toBe(0);
  });

  it('makes room for a packet that a record with a later expiration has kept out', async () => {
    const { log, writer } = setUp();
    await writer.upsert(packetOf('a', 900, 'forged'), newAttestation('x'));
    await expect(writer.upsert(packetOf('a', 100), newAttestation('y'))).resolves.toMatchObject({ kind: 'stale' });
    const removed = writer.removeRecords('a', () => true);
    const written = writer.upsert(packetOf('a', 100), newAttestation('y'));
    await expect(removed).resolves.toBe(1);
    await expect(written).resolves.toMatchObject({ kind: 'written' });
    expect(plain(log.list)).toMatchObject([{ expiration: 100, attestations: ['y@1000'] }]);
  });

  it('rejects on a node that does not lead', async () => {
    const { writer } = setUp();
    writer.stepDown();
    await expect(writer.removeRecords('a', () => true)).rejects.toMatchObject({ code: 'LIST_NOT_LEADER' });
  });
});

describe('expire', () => {
  afterEach(() => jest.restoreAllMocks());

  it('compares records of one identity with few others each, however many a lying leader has written', async () => {
    const { log, writer } = setUp();
    const many = 2000;
    for (let i = 0; i < many; i++) {
      log.append(encodeEntry({ packet: packetOf('a', 900, `forged ${i}`), attestations: [newAttestation('x')] }));
    }
    log.append(encodeEntry({ packet: packetOf('a', 100), attestations: [newAttestation('x')] }));
    const compared = jest.spyOn(LiveRecord.prototype, 'hasPacket');
    await expect(writer.expire(100)).resolves.toBe(1);
    // Once to see that there is something to do, and once more when its turn has come.
    expect(compared.mock.calls.length).toBeLessThan(2 * 20 * many);
    expect(log.list.size).toBe(many);
  });

  it('takes out what another record says too, also among many of one expiration', async () => {
    const { log, writer } = setUp();
    for (let i = 0; i < 40; i++) {
      log.append(encodeEntry({ packet: packetOf('a', 900, `${i}`), attestations: [newAttestation('x')] }));
      log.append(
        encodeEntry({ packet: packetOf('a', 900, `${i}`), attestations: [newAttestation('x'), newAttestation('y')] }),
      );
    }
    await expect(writer.expire(1)).resolves.toBe(40);
    for (const { attesters } of log.list.get('a')) expect(attesters).toEqual(['x', 'y']);
  });
});
