// The rules of RAFT.md, section 4, that concern the core alone. Each test is named after its rule.
import { EntryType, type SnapshotMeta } from '../../src/index.js';
import { encodeConfiguration } from '../../src/core/configuration.js';
import { CoreDriver, entriesOf, entry, snapshotRequest, voter } from '../support/core-driver.js';

function meta(index: number, term: number): SnapshotMeta {
  const configuration = { servers: ['a', 'b', 'c'].map(voter) };
  return { id: 's', version: 1, index, term, size: 1, configuration, configurationIndex: 1 };
}

describe('rule 1: one writer', () => {
  test('a heartbeat is an input like any other: it makes a candidate of its term follow, in the same step', () => {
    const driver = new CoreDriver({ term: 1 });
    driver.passToDeadline();
    const [asked] = driver.sent('requestVote');
    expect(driver.append('b', 2, [0, 0])).toMatchObject({ success: true, term: 2 });
    driver.answer(asked!);
    expect(driver.core).toMatchObject({ state: 'follower', term: 2, leader: { id: 'b' } });
  });

  test('a heartbeat of an old leader cannot put the election of a newer term off', () => {
    const driver = new CoreDriver({ term: 3 });
    const deadline = driver.core.nextDeadline();
    driver.now = 500;
    driver.append('b', 2, [0, 0]);
    expect(driver.core.nextDeadline()).toBe(deadline);
  });

  test('a heartbeat raises the term durably before it is answered', () => {
    const driver = new CoreDriver({ term: 1, durable: false });
    expect(driver.append('b', 2, [0, 0])).toBeUndefined();
    driver.completeWrites();
    expect(driver.hardState).toEqual({ term: 2, votedFor: null });
    expect(driver.responseTo(driver.lastRequestId)).toMatchObject({ success: true, term: 2 });
  });

  test('two leaders of one term cannot be: who leads refuses the other’s append', () => {
    const driver = new CoreDriver({ term: 1 });
    driver.becomeLeader();
    expect(driver.append('b', 2, [0, 0], [entry(1, 2)])).toBeUndefined();
    expect(driver.ofType('refuseRequest')[0]?.failure.code).toBe('RAFT_MALFORMED');
    expect(driver.core).toMatchObject({ state: 'leader', lastIndex: 1 });
  });

  test('the same inputs give the same effects, bit for bit', () => {
    const run = (): string => {
      const driver = new CoreDriver({ term: 1 });
      driver.becomeLeader();
      driver.acknowledge('b');
      driver.propose('x', 'y');
      driver.acknowledge('c');
      driver.pass(5000);
      return JSON.stringify(driver.effects);
    };
    expect(run()).toBe(run());
  });
});

describe('rule 2: epochs', () => {
  test('an append of an old term that completes late marks no newer entry stable', () => {
    const driver = new CoreDriver({ term: 1, durable: false });
    driver.append('b', 1, [0, 0], entriesOf([1, 1]));
    driver.append('c', 2, [0, 0], entriesOf([2, 2]));
    expect(driver.writes).toHaveLength(2);
    driver.completeWrites(1);
    expect(driver.core.stableIndex).toBe(0);
    driver.completeWrites();
    expect([driver.core.stableIndex, driver.log]).toEqual([2, ['1@2', '2@2']]);
  });

  test('a late completion after a truncation does not let a new leader count itself', () => {
    const driver = new CoreDriver({ term: 1, durable: false, voters: ['a', 'b'] });
    driver.append('b', 1, [0, 0], entriesOf([1, 1, 1]));
    const [old] = driver.writes.splice(0);
    driver.append('b', 2, [0, 0], entriesOf([2]));
    driver.completeWrites();
    driver.step({ type: 'persisted', seq: old!.seq, logEpoch: old!.logEpoch, lastIndex: old!.lastIndex });
    expect(driver.core.stableIndex).toBe(1);
  });

  test('step-down drops transfer, reads and what is under way, and tells who waits', () => {
    const driver = new CoreDriver({ term: 1 });
    driver.becomeLeader();
    driver.acknowledge('b');
    driver.step({ type: 'read', id: 7 });
    driver.step({ type: 'read', id: 8 });
    driver.step({ type: 'transfer', id: 9, target: 'c' });
    const pending = driver.sent('appendEntries');
    const effects = driver.step({
      type: 'request',
      requestId: 500,
      request: {
        ...driver.sent('requestVote')[0]!.request,
        header: { protocolVersion: 3, id: 'c', address: 'x' },
        term: 9,
        leadershipTransfer: true,
      },
    });
    expect(driver.core).toMatchObject({ state: 'follower', term: 9, leaderEpoch: null });
    expect(driver.ofType('refuseReads', effects).flatMap(({ ids }) => ids)).toEqual([7, 8]);
    expect(driver.ofType('transferDone', effects)).toEqual([
      { type: 'transferDone', id: 9, target: 'c', term: 9, failure: null },
    ]);

    // Again leader: answers to the old leadership's requests mean nothing, and proposals are taken.
    driver.becomeLeader();
    const before = driver.core.commitIndex;
    for (const send of pending) driver.answer(send);
    expect(driver.core.commitIndex).toBe(before);
    expect(driver.ofType('proposed', driver.propose('x'))).toHaveLength(1);
  });

  test('what belongs to an earlier leadership of this node is ignored in the next', () => {
    const driver = new CoreDriver({ term: 1 });
    driver.becomeLeader();
    const first = driver.core.leaderEpoch!;
    driver.append('b', 5, [0, 0]);
    driver.becomeLeader();
    expect(driver.core.leaderEpoch).toBe(first + 1);
    const late = [
      driver.step({ type: 'logRead', peerId: 'b', epoch: first, entries: entriesOf([9]) }),
      driver.step({ type: 'snapshotSent', peerId: 'b', epoch: first, index: 1 }),
      driver.step({ type: 'snapshotSendFailed', peerId: 'b', epoch: first }),
      driver.step({ type: 'logReadFailed', peerId: 'b', epoch: first }),
    ];
    expect(late.flat()).toEqual([]);
    expect(driver.core.commitIndex).toBe(0);
  });

  test('a snapshot that an earlier leadership sent does not count in the next', () => {
    const driver = new CoreDriver({ term: 3, snapshot: { index: 5, term: 2 }, log: [3] });
    const leadAndSend = (): number => {
      const elected = driver.becomeLeader();
      const [probe] = driver.sent('appendEntries', 'b', elected);
      driver.answer(probe!, { success: false, conflictIndex: 1, lastLog: 0 });
      expect(driver.core.stats().peers['b']!.mode).toBe('snapshot');
      return driver.core.leaderEpoch!;
    };
    const first = leadAndSend();
    driver.append('c', 9, [0, 0]);
    const second = leadAndSend();
    driver.step({ type: 'snapshotSent', peerId: 'b', epoch: first, index: 5 });
    expect(driver.core.stats().peers['b']).toMatchObject({ mode: 'snapshot', match: 0 });
    driver.step({ type: 'snapshotSent', peerId: 'b', epoch: second, index: 5 });
    expect(driver.core.stats().peers['b']).toMatchObject({ mode: 'probe', match: 5 });
  });

  test('votes of an earlier election do not count in the next', () => {
    const driver = new CoreDriver({ term: 1 });
    driver.passToDeadline();
    const old = driver.sent('requestVote');
    driver.passToDeadline();
    expect(driver.core).toMatchObject({ state: 'candidate', term: 3 });
    for (const send of old) driver.answer(send, { term: 3 });
    expect(driver.core.state).toBe('candidate');
  });
});

describe('rule 3: figures 2 and 13, literally', () => {
  test('a follower commits min(leaderCommit, last index that this message covers), not its own last index', () => {
    const driver = new CoreDriver({ log: [1, 1, 1, 1], term: 2 });
    driver.append('b', 2, [1, 1], [entry(2, 1)], 4);
    expect(driver.core.commitIndex).toBe(2);
    driver.append('b', 2, [3, 1], [], 4);
    expect(driver.core.commitIndex).toBe(3);
    driver.append('b', 2, [0, 0], [], 4);
    expect(driver.core.commitIndex).toBe(3);
  });

  test('the commit index never moves back', () => {
    const driver = new CoreDriver({ log: [1, 1], term: 1 });
    driver.append('b', 1, [2, 1], [], 2);
    driver.append('b', 1, [2, 1], [], 1);
    expect(driver.core.commitIndex).toBe(2);
  });

  test('a late duplicate of an older append takes nothing away', () => {
    const driver = new CoreDriver({ term: 1 });
    driver.append('b', 1, [0, 0], entriesOf([1, 1, 1]));
    expect(driver.append('b', 1, [0, 0], entriesOf([1]))).toMatchObject({ success: true, matchIndex: 1, lastLog: 3 });
    expect(driver.log).toEqual(['1@1', '2@1', '3@1']);
  });

  test('a follower never deletes what is committed: it stops instead', () => {
    const driver = new CoreDriver({ log: [1, 1], term: 1 });
    driver.append('b', 1, [2, 1], [], 2);
    expect(driver.append('c', 2, [0, 0], entriesOf([2, 2]))).toBeUndefined();
    expect(driver.ofType('halt')[0]?.failure.code).toBe('RAFT_STORE_CORRUPT');
    expect(driver.log).toEqual(['1@1', '2@1']);
  });

  test('a snapshot whose last term differs from the log’s discards the whole log', () => {
    const driver = new CoreDriver({ log: [1, 1, 1, 1], term: 3 });
    driver.request(snapshotRequest('b', 3, [3, 2]));
    driver.step({ type: 'snapshotInstalled', requestId: driver.lastRequestId, meta: meta(3, 2) });
    expect(driver.core).toMatchObject({ firstIndex: 4, lastIndex: 3, lastTerm: 2, commitIndex: 3, stableIndex: 3 });
    expect(driver.log).toEqual([]);
    expect(driver.responseTo(driver.lastRequestId)).toMatchObject({ success: true });
    expect(driver.append('b', 3, [3, 2], [entry(4, 3)])).toMatchObject({ success: true, matchIndex: 4 });
  });

  test('a snapshot that agrees with the log keeps what follows it', () => {
    const driver = new CoreDriver({ log: [1, 1, 2, 2], term: 3 });
    driver.request(snapshotRequest('b', 3, [3, 2]));
    driver.step({ type: 'snapshotInstalled', requestId: driver.lastRequestId, meta: meta(3, 2) });
    expect(driver.core).toMatchObject({ firstIndex: 4, lastIndex: 4, lastTerm: 2, commitIndex: 3 });
    expect(driver.log).toEqual(['4@2']);
  });

  test('a snapshot past the end of the log sets last index and term', () => {
    const driver = new CoreDriver({ log: [1], term: 3 });
    driver.request(snapshotRequest('b', 3, [9, 2]));
    driver.step({ type: 'snapshotInstalled', requestId: driver.lastRequestId, meta: meta(9, 2) });
    expect(driver.core).toMatchObject({ firstIndex: 10, lastIndex: 9, lastTerm: 2, commitIndex: 9 });
  });

  test('a snapshot of what is committed already is acknowledged whole and not received', () => {
    const driver = new CoreDriver({ log: [1, 1], term: 1 });
    driver.append('b', 1, [2, 1], [], 2);
    expect(driver.request(snapshotRequest('b', 1, [2, 1]))).toMatchObject({ success: true, nextOffset: 1 });
    expect(driver.ofType('receiveSnapshot')).toEqual([]);
  });

  test('a snapshot of an old term is refused', () => {
    const driver = new CoreDriver({ term: 4 });
    expect(driver.request(snapshotRequest('b', 3, [9, 3]))).toMatchObject({ success: false, term: 4 });
    expect(driver.ofType('receiveSnapshot')).toEqual([]);
  });

  test('pre-vote persists nothing: neither asking, nor answering, nor losing', () => {
    const driver = new CoreDriver({ term: 4, log: [4], config: { preVote: true } });
    expect(driver.preVote('b', 5, [1, 4])).toMatchObject({ granted: true, term: 4 });
    expect(driver.preVote('c', 5, [1, 4])).toMatchObject({ granted: true, term: 4 });
    expect(driver.preVote('b', 5, [1, 3])).toMatchObject({ granted: false });
    expect(driver.preVote('b', 4, [1, 4])).toMatchObject({ granted: false });
    driver.passToDeadline();
    expect(driver.core.state).toBe('preCandidate');
    for (const send of driver.sent('requestPreVote')) driver.answer(send, { granted: false });
    driver.passToDeadline();
    expect(driver.core).toMatchObject({ state: 'preCandidate', term: 4 });
    expect(driver.ofType('persist')).toEqual([]);
  });

  test('a won pre-vote leads to an election in the next term, a refused one by a later term to that term', () => {
    const winner = new CoreDriver({ term: 4, config: { preVote: true } });
    winner.passToDeadline();
    expect(winner.sent('requestPreVote')[0]?.request.term).toBe(5);
    winner.answer(winner.sent('requestPreVote')[0]!);
    expect(winner.core).toMatchObject({ state: 'candidate', term: 5 });
    const late = new CoreDriver({ term: 4, config: { preVote: true } });
    late.passToDeadline();
    late.answer(late.sent('requestPreVote')[0]!, { granted: false, term: 8 });
    expect(late.core).toMatchObject({ state: 'follower', term: 8 });
  });

  test('a configuration in a message that cannot be read is refused, and the log stays', () => {
    const driver = new CoreDriver({ term: 1 });
    const bad = { ...entry(1, 1), type: EntryType.configuration };
    expect(driver.append('b', 1, [0, 0], [bad])).toBeUndefined();
    expect(driver.ofType('refuseRequest')[0]?.failure.code).toBe('RAFT_MALFORMED');
    expect(driver.core.lastIndex).toBe(0);
    expect(driver.core.configuration.index).toBe(0);
  });

  test('a snapshot with a configuration that is none is refused, before its sender is taken for the leader', () => {
    const driver = new CoreDriver({ term: 1 });
    driver.request({
      kind: 'installSnapshot',
      header: { protocolVersion: 3, id: 'c', address: 'x' },
      version: 1,
      term: 7,
      lastLogIndex: 10,
      lastLogTerm: 6,
      configuration: { servers: [voter('a'), voter('a')] },
      configurationIndex: 1,
      size: 1,
      offset: 0,
      chunk: Buffer.from('x'),
      crc: 0,
      done: true,
    });
    expect(driver.ofType('refuseRequest')[0]?.failure.code).toBe('RAFT_MALFORMED');
    expect(driver.ofType('receiveSnapshot')).toEqual([]);
    expect(driver.core).toMatchObject({ term: 1, leader: null });
  });

  test.each([
    ['a gap', [entry(1, 1), entry(3, 1)]],
    ['a wrong first index', [entry(2, 1)]],
    ['terms that fall', [entry(1, 1), { ...entry(2, 0) }]],
    ['a term later than the leader’s', [entry(1, 9)]],
  ])('entries with %s are refused as malformed', (_, entries) => {
    const driver = new CoreDriver({ term: 1 });
    expect(driver.append('b', 1, [0, 0], entries)).toBeUndefined();
    expect(driver.ofType('refuseRequest')[0]?.failure.code).toBe('RAFT_MALFORMED');
    expect(driver.core.lastIndex).toBe(0);
  });

  test('a configuration takes effect on append and rolls back on truncation (rule 9)', () => {
    const driver = new CoreDriver({ term: 1 });
    const configuration = { servers: ['a', 'b', 'c', 'd'].map(voter) };
    const item = { index: 1, term: 1, type: EntryType.configuration, data: encodeConfiguration(configuration) };
    driver.append('b', 1, [0, 0], [item]);
    expect(driver.core.configuration).toEqual({ index: 1, configuration });
    driver.append('c', 2, [0, 0], [entry(1, 2)]);
    expect(driver.core.configuration.index).toBe(0);
    expect(driver.core.configuration.configuration.servers).toHaveLength(3);
  });
});
