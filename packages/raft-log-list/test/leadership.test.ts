import { SimulatedClock } from '@discovery-raft/raft-core';
import { ListError, ListWriter, type ListWriterOptions } from '../src/index.js';
import { LogHarness, plain } from './fixtures/log-harness.js';
import { newAttestation, packetOf } from './fixtures/text-schema.js';

function setUp(options: Partial<ListWriterOptions> = {}) {
  const clock = new SimulatedClock();
  const log = new LogHarness();
  const writer = new ListWriter({ list: log.list, propose: log.propose, clock, attestationThreshold: 2, ...options });
  writer.takeOver();
  return { clock, log, writer };
}

const packet = packetOf('a', 100);

function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'resolved',
    (error: unknown) => (error instanceof ListError ? `${error.code} ${error.details.outcome}` : error),
  );
}

describe('a node that does not lead', () => {
  it('writes nothing', async () => {
    const { writer } = setUp();
    writer.stepDown();
    expect(writer.leading).toBe(false);
    const calls = [writer.upsert(packet, newAttestation('x')), writer.remove('a'), writer.expire(1), writer.freeze(1)];
    for (const call of calls) expect(await codeOf(call)).toBe('LIST_NOT_LEADER notAppended');
  });
});

describe('losing leadership', () => {
  it('settles every promise, and says of each what became of it', async () => {
    const { clock, log, writer } = setUp();
    log.hold = true;
    const inFlight = codeOf(writer.upsert(packet, [newAttestation('x'), newAttestation('y')]));
    const behind = codeOf(writer.upsert(packet, newAttestation('z')));
    const frozen = codeOf(writer.freeze(1));
    const waiting = codeOf(writer.upsert(packetOf('b', 1), newAttestation('x')));
    const removal = codeOf(writer.remove('a'));
    writer.stepDown();
    expect(await inFlight).toBe('LIST_LEADERSHIP_LOST unknownOutcome');
    expect(await behind).toBe('LIST_LEADERSHIP_LOST notAppended');
    expect(await waiting).toBe('LIST_LEADERSHIP_LOST notAppended');
    expect(await removal).toBe('LIST_LEADERSHIP_LOST notAppended');
    expect(await frozen).toBe('LIST_LEADERSHIP_LOST unknownOutcome');
    const proposals = log.held.length;
    log.commit();
    await clock.advance(1000);
    expect(log.lastIndex).toBe(proposals);
  });

  it('settles an expiry that is under way', async () => {
    const { clock, log, writer } = setUp({ coalesceMs: 0 });
    for (let i = 0; i < 9000; i++) void writer.upsert(packetOf(`id${i}`, i === 0 ? 1 : 100), newAttestation('x'));
    await clock.advance(0);
    log.hold = true;
    const expiry = codeOf(writer.expire(1));
    writer.stepDown();
    expect(await expiry).toBe('LIST_LEADERSHIP_LOST unknownOutcome');
    await clock.advance(1);
  });

  it('drops what was speculative whole: the next term decides on the list alone', async () => {
    const { clock, log, writer } = setUp({ coalesceMs: 0 });
    log.hold = true;
    const lost = codeOf(writer.upsert(packet, newAttestation('x')));
    writer.takeOver();
    expect(await lost).toBe('LIST_LEADERSHIP_LOST unknownOutcome');
    log.commit();
    log.hold = false;
    await clock.advance(0);
    await expect(writer.upsert(packet, newAttestation('x'))).resolves.toMatchObject({ kind: 'unchanged' });
    await writer.upsert(packet, newAttestation('y'));
    expect(plain(log.list)).toMatchObject([{ index: 2, attestations: ['x@1000', 'y@1000'] }]);
    expect(writer.pendingBytes).toBe(0);
  });

  it('needs nothing handed over: another node goes on from its own replica', async () => {
    const { clock, log, writer } = setUp({ coalesceMs: 0 });
    await writer.upsert(packet, newAttestation('x'));
    writer.stepDown();
    const next = new ListWriter({
      list: log.list,
      propose: log.propose,
      clock,
      attestationThreshold: 2,
      coalesceMs: 0,
    });
    next.takeOver();
    await next.upsert(packet, newAttestation('y'));
    expect(plain(log.list)).toMatchObject([{ attestations: ['x@1000', 'y@1000'] }]);
  });
});

describe('a write that Raft rejects while this node goes on leading', () => {
  it('can be made again when it was not appended', async () => {
    const { clock, log, writer } = setUp({ coalesceMs: 0 });
    log.hold = true;
    const failed = codeOf(writer.upsert(packet, newAttestation('x')));
    log.fail('notAppended');
    expect(await failed).toBe('LIST_PROPOSAL_FAILED notAppended');
    const again = writer.upsert(packet, newAttestation('x'));
    log.commit();
    await clock.resolve(again, 0);
    expect(plain(log.list)).toMatchObject([{ index: 1 }]);
  });

  it('puts a fence before the next write of that identity when the outcome is unknown', async () => {
    const { clock, log, writer } = setUp({ coalesceMs: 0 });
    await writer.upsert(packet, newAttestation('w'));
    log.hold = true;
    const failed = codeOf(writer.upsert(packet, newAttestation('x')));
    const { data } = log.fail('unknownOutcome');
    expect(await failed).toBe('LIST_PROPOSAL_FAILED unknownOutcome');
    const again = writer.upsert(packet, newAttestation('y'));
    await clock.advance(0);
    expect(log.held.map((proposal) => proposal.data.length)).toEqual([0]);
    log.append(data); // it was committed after all
    log.commit();
    await clock.advance(0);
    log.commit();
    await clock.resolve(again, 0);
    expect(plain(log.list)).toMatchObject([{ attestations: ['w@1000', 'x@1000', 'y@1000'] }]);
    expect(writer.pendingBytes).toBe(0);
  });

  it('rejects the next write when the fence fails, and tries a fence again for the one after', async () => {
    const { clock, log, writer } = setUp({ coalesceMs: 0 });
    log.hold = true;
    const failed = codeOf(writer.upsert(packet, newAttestation('x')));
    log.fail('unknownOutcome');
    await failed;
    const second = codeOf(writer.upsert(packet, newAttestation('y')));
    log.fail('notAppended');
    expect(await second).toBe('LIST_PROPOSAL_FAILED notAppended');
    log.hold = false;
    await clock.resolve(writer.upsert(packet, newAttestation('z')), 0);
    expect(plain(log.list)).toMatchObject([{ index: 2, attestations: ['z@1000'] }]);
    expect(writer.pendingBytes).toBe(0);
  });

  it('is an error of its own when the entry was applied without effect', async () => {
    const { writer } = setUp({
      coalesceMs: 0,
      propose: () => Promise.resolve({ index: 1, response: { kind: 'ignored', reason: 'malformed' } }),
    });
    await expect(writer.upsert(packet, newAttestation('x'))).rejects.toMatchObject({ code: 'LIST_PROPOSAL_IGNORED' });
    await expect(writer.freeze(1)).rejects.toMatchObject({ code: 'LIST_PROPOSAL_IGNORED' });
  });
});
