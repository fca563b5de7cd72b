import { SimulatedClock } from '@discovery-raft/raft-core';
import { ListWriter } from '../src/index.js';
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
