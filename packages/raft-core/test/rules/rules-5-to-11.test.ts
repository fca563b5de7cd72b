// Rules 5 to 9 and 11 of RAFT.md, section 4, as far as the code has them. Rule 10 has a file of its own.
import { entrySize, EntryType, type LogEntry, type RpcRequest } from '../../src/index.js';
import { CoreDriver, entriesOf, entry, voter, type DriverOptions } from '../support/core-driver.js';
import { TestCluster } from '../support/test-cluster.js';

function settledLeader(options: DriverOptions = {}): CoreDriver {
  const driver = new CoreDriver({ term: 1, ...options });
  driver.becomeLeader();
  for (const peer of options.voters ?? ['a', 'b', 'c']) driver.acknowledge(peer);
  return driver;
}

describe('rule 5: check-quorum', () => {
  test('a leader that hears from no quorum within its lease steps down, on the moment', () => {
    const driver = settledLeader({ voters: ['a', 'b', 'c', 'd', 'e'] });
    driver.acknowledge('b', driver.pass(100));
    driver.acknowledge('c', driver.pass(100));
    // From now on b is silent: a quorum of three was last heard when it answered.
    driver.acknowledge('c', driver.pass(200));
    driver.pass(199);
    expect(driver.core.state).toBe('leader');
    driver.pass(1);
    expect(driver.core.state).toBe('follower');
  });

  test('silence of non-voters does not depose a leader', () => {
    const servers = [voter('a'), { ...voter('b'), suffrage: 'nonvoter' as const }];
    const driver = new CoreDriver({ servers, term: 1 });
    driver.becomeLeader();
    for (let i = 0; i < 20; i++) driver.pass(200);
    expect(driver.core.state).toBe('leader');
  });

  test('it tells observers once of a silent peer, and once when it is back', () => {
    const driver = settledLeader();
    driver.step({ type: 'applied', index: driver.core.commitIndex });
    const events = (): string[] =>
      driver
        .ofType('observe')
        .map(({ observation }) => observation.event)
        .filter((event) => event.startsWith('heartbeat'));
    for (let i = 0; i < 20; i++) driver.acknowledge('b', driver.pass(150));
    expect(events()).toEqual(['heartbeatFailed']);
    driver.acknowledge('c', driver.pass(150));
    expect(events()).toEqual(['heartbeatFailed', 'heartbeatResumed']);
  });
});

describe('rule 6: reads by numbered rounds', () => {
  test('only acknowledgements of requests sent after the read count', () => {
    const driver = settledLeader();
    const before = driver.pass(200);
    driver.step({ type: 'read', id: 1 });
    driver.acknowledge('b', before);
    driver.acknowledge('c', before);
    expect(driver.ofType('resolveReads')).toEqual([]);
    const [heartbeat] = driver.sent('appendEntries', 'c').slice(-1);
    driver.answer(heartbeat!);
    expect(driver.ofType('resolveReads')).toEqual([{ type: 'resolveReads', ids: [1], index: 1 }]);
  });

  test('a refusal of a follower of this term confirms the leader all the same', () => {
    const driver = settledLeader();
    driver.step({ type: 'read', id: 1 });
    const [heartbeat] = driver.sent('appendEntries', 'c').slice(-1);
    driver.answer(heartbeat!, { success: false, conflictIndex: 1, lastLog: 0 });
    expect(driver.ofType('resolveReads')).toHaveLength(1);
  });

  test('an entry of the current term must be committed first', () => {
    const driver = new CoreDriver({ term: 1, log: [1, 1] });
    driver.becomeLeader();
    const [first] = driver.sent('appendEntries', 'b');
    expect(driver.sent('appendEntries', undefined, driver.step({ type: 'read', id: 1 }))).toEqual([]);
    // Heartbeats that are sent after the read prove leadership, but not yet what is committed.
    driver.acknowledge('b', driver.pass(200));
    expect(driver.ofType('resolveReads')).toEqual([]);
    driver.answer(first!);
    expect(driver.core.commitIndex).toBe(3);
    expect(driver.ofType('resolveReads')).toEqual([]);
    driver.acknowledge('b', driver.sent('appendEntries', 'b').slice(-1));
    expect(driver.ofType('resolveReads')).toEqual([{ type: 'resolveReads', ids: [1], index: 3 }]);
  });

  test('reads that come while a round is under way share the next', () => {
    const driver = settledLeader();
    const first = driver.step({ type: 'read', id: 1 });
    expect(driver.sent('appendEntries', undefined, first)).toHaveLength(2);
    const more = [2, 3, 4].flatMap((id) => driver.step({ type: 'read', id }));
    expect(driver.sent('appendEntries', undefined, more)).toHaveLength(0);
    const second = driver.acknowledge('b', first);
    expect(driver.ofType('resolveReads', second).map(({ ids }) => ids)).toEqual([[1]]);
    expect(driver.sent('appendEntries', undefined, second)).toHaveLength(2);
    const third = driver.acknowledge('c', second);
    expect(driver.ofType('resolveReads', third).map(({ ids }) => ids)).toEqual([[2, 3, 4]]);
  });

  test('one server alone confirms at once; who does not lead refuses', () => {
    const alone = settledLeader({ voters: ['a'] });
    expect(alone.ofType('resolveReads', alone.step({ type: 'read', id: 1 }))).toHaveLength(1);
    const follower = new CoreDriver();
    expect(follower.ofType('refuseReads', follower.step({ type: 'read', id: 1 }))[0]?.failure.code).toBe(
      'RAFT_NOT_LEADER',
    );
  });

  test('during a joint change both halves must confirm', () => {
    const servers = ['a', 'd', 'e'].map(voter);
    const driver = new CoreDriver({ servers, outgoing: ['a', 'b', 'c'].map(voter), term: 1 });
    driver.becomeLeader();
    for (const peer of ['b', 'c', 'd', 'e']) driver.acknowledge(peer);
    const effects = driver.step({ type: 'read', id: 1 });
    driver.acknowledge('b', effects);
    driver.acknowledge('c', effects);
    expect(driver.ofType('resolveReads')).toEqual([]);
    driver.acknowledge('d', effects);
    expect(driver.ofType('resolveReads')).toHaveLength(1);
  });
});

describe('rule 7: everything is bounded in bytes', () => {
  const size = entrySize(entry(1, 1));

  test('one append message, by bytes and by entries', () => {
    const byBytes = settledLeader({ config: { maxAppendBytes: 3 * size } });
    const sent = byBytes.sent('appendEntries', 'b', byBytes.propose('1@2', '2@2', '3@2', '4@2', '5@2'));
    expect(sent.map(({ request }) => request.entries.length)).toEqual([3, 2]);
    const byNumber = settledLeader({ config: { maxAppendEntries: 2 } });
    const pairs = byNumber.sent('appendEntries', 'b', byNumber.propose('1', '2', '3', '4', '5'));
    expect(pairs.map(({ request }) => request.entries.length)).toEqual([2, 2, 1]);
  });

  test('an entry over the bound goes alone', () => {
    const driver = settledLeader({ config: { maxAppendBytes: 1 } });
    const sent = driver.sent('appendEntries', 'b', driver.propose('a', 'b'));
    expect(sent.map(({ request }) => request.entries.length)).toEqual([1, 1]);
  });

  test('what is under way to one follower, by messages and by bytes; an answer makes room', () => {
    for (const config of [
      { maxAppendEntries: 1, maxInflightAppends: 2 },
      { maxAppendEntries: 1, maxInflightBytes: 2 * size },
    ]) {
      const driver = settledLeader({ config });
      const effects = driver.propose('1@2', '2@2', '3@2', '4@2', '5@2');
      const sent = driver.sent('appendEntries', 'b', effects);
      expect(sent).toHaveLength(2);
      expect(driver.sent('appendEntries', 'b', driver.answer(sent[0]!))).toHaveLength(1);
    }
  });

  test('the uncommitted tail: over it proposals are refused as overloaded, and taken again after a commit', () => {
    const driver = settledLeader({ config: { maxUncommittedBytes: 3 * 40 } });
    const line = 'x'.repeat(8);
    const effects = driver.propose(line, line, line, line, line);
    expect(driver.ofType('proposed', effects)[0]?.ids).toHaveLength(3);
    expect(driver.ofType('refuseProposals', effects)[0]).toMatchObject({
      ids: [1003, 1004],
      outcome: 'notAppended',
      failure: { code: 'RAFT_OVERLOADED' },
    });
    expect(driver.core.stats().uncommittedBytes).toBe(120);
    driver.acknowledge('b', effects);
    expect(driver.core.stats().uncommittedBytes).toBe(0);
    expect(driver.ofType('refuseProposals', driver.propose(line))).toEqual([]);
  });

  test('memory: the cache of a follower and of a leader stays under its limit', async () => {
    const cluster = await TestCluster.start(3, { config: { logCacheBytes: 1000 } });
    for (let i = 0; i < 100; i++) await cluster.apply('x'.repeat(50));
    await cluster.converge();
    for (const { raft } of cluster.up) expect(raft.stats().logCacheBytes).toBeLessThanOrEqual(1000);
    await cluster.shutdown();
  });

  test('a batch is one object for every follower, so that it is encoded once', () => {
    const driver = settledLeader({ voters: ['a', 'b', 'c', 'd', 'e'] });
    const sent = driver.sent('appendEntries', undefined, driver.propose('x', 'y'));
    expect(sent).toHaveLength(4);
    expect(new Set(sent.map(({ request }) => request.entries)).size).toBe(1);
  });
});

describe('rule 8: snapshots stay off the consensus lane', () => {
  test('heartbeats go on and are answered while a snapshot is sent; leadership stays', async () => {
    const cluster = await TestCluster.start(3, { config: { trailingLogs: 0, snapshotChunkBytes: 1 } });
    const leader = await cluster.leader();
    const away = cluster.up.find(({ id }) => id !== leader.id)!;
    await cluster.stop(away.id);
    for (let i = 0; i < 100; i++) await cluster.apply(`line ${i}`);
    await leader.raft.snapshot();
    const term = leader.raft.term;
    await cluster.restart(away.id);
    const before = cluster.network.delivered.length;
    await cluster.converge();
    const during = cluster.network.delivered.slice(before);
    const chunks = during.filter(({ message }) => message.kind === 'installSnapshot').length;
    const heartbeats = during.filter(({ to, message }) => to === away.id && message.kind === 'appendEntries').length;
    expect(chunks).toBeGreaterThan(900);
    expect(heartbeats).toBeGreaterThan(10);
    expect(cluster.raft(leader.id)).toMatchObject({ state: 'leader', term });
    await cluster.shutdown();
  });

  test('lost and damaged chunks are sent again from where the follower stands', async () => {
    const cluster = await TestCluster.start(3, {
      config: { trailingLogs: 0, snapshotChunkBytes: 50, rpcTimeoutMs: 200 },
    });
    const leader = await cluster.leader();
    const away = cluster.up.find(({ id }) => id !== leader.id)!;
    await cluster.stop(away.id);
    for (let i = 0; i < 100; i++) await cluster.apply(`line ${i}`);
    await leader.raft.snapshot();
    let seen = 0;
    cluster.network.filter = (_from, _to, message) => message.kind !== 'installSnapshot' || ++seen % 4 !== 0;
    await cluster.restart(away.id);
    expect(await cluster.converge(60_000)).toHaveLength(100);
    expect(seen).toBeGreaterThan(20);
    await cluster.shutdown();
  });

  test('a snapshot under way is cancelled when the leadership ends', () => {
    const driver = new CoreDriver({ term: 3, snapshot: { index: 5, term: 2 }, log: [3] });
    driver.becomeLeader();
    driver.answer(driver.sent('appendEntries', 'b')[0]!, { success: false, conflictIndex: 1, lastLog: 0 });
    const [sending] = driver.ofType('sendSnapshot');
    expect(sending).toMatchObject({ peer: { id: 'b' }, term: 4 });
    const effects = driver.append('c', 9, [0, 0]) && driver.ofType('cancelSnapshot');
    expect(effects).toEqual([{ type: 'cancelSnapshot', peerId: 'b', epoch: sending!.epoch }]);
  });

  test('entries that a follower needs are kept behind a snapshot, up to trailingLogs', async () => {
    const cluster = await TestCluster.start(3, { config: { trailingLogs: 50 } });
    const leader = await cluster.leader();
    const away = cluster.up.find(({ id }) => id !== leader.id)!;
    for (let i = 0; i < 100; i++) await cluster.apply(`line ${i}`);
    await cluster.converge();
    await cluster.stop(away.id);
    for (let i = 0; i < 30; i++) await cluster.apply(`more ${i}`);
    await leader.raft.snapshot();
    expect(leader.raft.stats().firstIndex).toBe(leader.raft.appliedIndex - 49);
    await cluster.restart(away.id);
    await cluster.converge();
    expect(cluster.network.delivered.some(({ message }) => message.kind === 'installSnapshot')).toBe(false);
    await cluster.shutdown();
  });

  test('a snapshot can be taken while entries wait to be applied', async () => {
    const cluster = await TestCluster.start(1);
    const { raft } = await cluster.leader();
    const applied = Array.from({ length: 10_000 }, (_, i) => raft.apply(Buffer.from(`${i}`)));
    await cluster.clock.advanceUntil(() => raft.appliedIndex > 4000, 1000);
    expect(raft.appliedIndex).toBeLessThan(10_000);
    const { index } = await cluster.clock.resolve(raft.snapshot(), 1000);
    expect(index).toBeGreaterThan(4000);
    await cluster.clock.resolve(Promise.all(applied), 1000);
    await cluster.stop('a');
    await cluster.restart('a');
    expect(await cluster.clock.resolve((await cluster.leader()).raft.barrier(), 1000)).toBeGreaterThan(10_000);
    expect(cluster.server('a').machine.lines).toHaveLength(10_000);
    await cluster.shutdown();
  });

  test('leadership goes over to a server that had to be sent a snapshot first', () => {
    const driver = new CoreDriver({ term: 3, snapshot: { index: 5, term: 3 } });
    driver.becomeLeader();
    driver.acknowledge('c');
    driver.answer(driver.sent('appendEntries', 'b')[0]!, { success: false, conflictIndex: 1, lastLog: 0 });
    const [sending] = driver.ofType('sendSnapshot');
    driver.step({ type: 'transfer', id: 1, target: 'b' });
    driver.step({ type: 'snapshotSent', peerId: 'b', epoch: sending!.epoch, index: driver.core.lastIndex });
    expect(driver.sent('timeoutNow', 'b')).toHaveLength(1);
  });
});

describe('rule 9: servers that are cut off or alone disturb nobody', () => {
  test('a follower that hears a leader neither votes nor learns a higher term from a campaign', () => {
    const driver = new CoreDriver({ term: 3 });
    driver.append('b', 3, [0, 0]);
    expect(driver.vote('c', 9, [9, 9])).toMatchObject({ granted: false, term: 3 });
    expect(driver.preVote('c', 9, [9, 9])).toMatchObject({ granted: false, term: 3 });
    expect(driver.core).toMatchObject({ term: 3, leader: { id: 'b' } });
    driver.now += 1000;
    expect(driver.preVote('c', 9, [9, 9])).toMatchObject({ granted: true });
    expect(driver.vote('c', 9, [9, 9])).toMatchObject({ granted: true, term: 9 });
  });

  test('unless the leader itself asked for the campaign', () => {
    const driver = new CoreDriver({ term: 3 });
    driver.append('b', 3, [0, 0]);
    expect(driver.vote('c', 4, [0, 0], true)).toMatchObject({ granted: true, term: 4 });
  });

  test('a leader with a quorum is not deposed by a campaign either', () => {
    const driver = settledLeader();
    expect(driver.vote('c', 9, [9, 9])).toMatchObject({ granted: false, term: 2 });
    expect(driver.core.state).toBe('leader');
  });

  test('who needs no other vote leads at once, however late it is looked after', () => {
    const alone = new CoreDriver({ voters: ['a'], term: 3, config: { preVote: true } });
    expect(alone.core.nextDeadline()).toBe(alone.now);
    alone.now += 5000;
    alone.step({ type: 'tick' });
    expect(alone.core).toMatchObject({ state: 'leader', term: 4 });
  });

  test('but not before its own vote is durable', () => {
    const alone = new CoreDriver({ voters: ['a'], term: 3, durable: false });
    alone.step({ type: 'tick' });
    expect(alone.core.state).toBe('candidate');
    alone.completeWrites();
    expect(alone.core.state).toBe('leader');
  });

  test('who needs others waits for them; so does who may have promised another leader its lease', () => {
    const nonvoter = { ...voter('a'), suffrage: 'nonvoter' } as const;
    const waiting = [
      new CoreDriver({ voters: ['a', 'b'] }),
      new CoreDriver({ servers: [nonvoter, voter('b')] }),
      new CoreDriver({ voters: ['a'], outgoing: [voter('a'), voter('b')] }),
      new CoreDriver({ voters: ['a'], config: { readMode: 'lease' } }),
    ];
    for (const { core } of waiting) expect(core.nextDeadline()).toBe(1000);
  });

  test('who grants a vote gives the candidate time: its own election is put off', () => {
    const driver = new CoreDriver({ term: 3 });
    driver.now = 900;
    expect(driver.vote('c', 4, [0, 0])).toMatchObject({ granted: true });
    expect(driver.core.nextDeadline()).toBe(1900);
    driver.now = 1800;
    expect(driver.vote('b', 4, [0, 0])).toMatchObject({ granted: false });
    expect(driver.core.nextDeadline()).toBe(1900);
  });

  test('a transfer waits until the target has every entry', () => {
    const driver = settledLeader();
    const sent = driver.sent('appendEntries', 'b', driver.propose('x'));
    const effects = driver.step({ type: 'transfer', id: 1, target: 'b' });
    expect(driver.sent('timeoutNow', undefined, effects)).toEqual([]);
    driver.answer(sent[0]!);
    expect(driver.sent('timeoutNow').map(({ to, request }) => [to.id, request.term])).toEqual([
      ['b', driver.core.term],
    ]);
  });

  test('only voters campaign', () => {
    const servers = [{ ...voter('a'), suffrage: 'nonvoter' as const }, voter('b'), voter('c')];
    const driver = new CoreDriver({ servers, term: 1 });
    for (let i = 0; i < 5; i++) driver.pass(5000);
    driver.request({ kind: 'timeoutNow', header: { protocolVersion: 3, id: 'b', address: 'x' }, term: 1 });
    expect(driver.core).toMatchObject({ state: 'follower', term: 1 });
  });

  test.each([
    ['both ways', (cluster: TestCluster, id: string) => cluster.network.isolate(id)],
    [
      'outgoing only',
      (cluster: TestCluster, id: string) => {
        for (const other of cluster.up) if (other.id !== id) cluster.network.cutOneWay(id, other.id);
      },
    ],
    [
      'incoming only',
      (cluster: TestCluster, id: string) => {
        for (const other of cluster.up) if (other.id !== id) cluster.network.cutOneWay(other.id, id);
      },
    ],
    [
      'a bridge: only to one other server',
      (cluster: TestCluster, id: string) => {
        const others = cluster.up.filter((server) => server.id !== id).map((server) => server.id);
        for (const other of others.slice(1)) cluster.network.cut(id, other);
      },
    ],
  ])('a follower cut off (%s) changes no term, and is taken back', async (_, cut) => {
    const cluster = await TestCluster.start(5);
    const leader = await cluster.leader();
    await cluster.apply('before');
    const term = leader.raft.term;
    const victim = cluster.up.find(({ id }) => id !== leader.id)!;
    cut(cluster, victim.id);
    await cluster.clock.advance(20_000);
    await cluster.apply('during');
    cluster.network.heal();
    await cluster.clock.advance(5000);
    expect(cluster.raft(leader.id)).toMatchObject({ state: 'leader', term });
    expect(await cluster.converge()).toEqual(['before', 'during']);
    await cluster.shutdown();
  });

  test('a leader that can send but not hear steps down, and the others go on', async () => {
    const cluster = await TestCluster.start(3);
    const old = await cluster.leader();
    for (const other of cluster.up) if (other.id !== old.id) cluster.network.cutOneWay(other.id, old.id);
    await cluster.clock.advance(10_000);
    expect(old.raft.state).not.toBe('leader');
    const leaders = cluster.up.filter(({ raft }) => raft.state === 'leader');
    expect(leaders).toHaveLength(1);
    await cluster.clock.resolve(leaders[0]!.raft.apply(Buffer.from('x')), 1000);
    await cluster.shutdown();
  });

  test('a server that has lost its log gets all of it again', async () => {
    const cluster = await TestCluster.start(3);
    const leader = await cluster.leader();
    for (let i = 0; i < 20; i++) await cluster.apply(`line ${i}`);
    const victim = cluster.up.find(({ id }) => id !== leader.id)!;
    await cluster.stop(victim.id);
    victim.logStore.reset(1);
    await cluster.restart(victim.id);
    expect(await cluster.converge()).toHaveLength(20);
    expect(cluster.raft(leader.id).state).toBe('leader');
    await cluster.shutdown();
  });
});

describe('lost messages', () => {
  test('an append that was lost is noticed by later heartbeats, long before it times out', () => {
    const driver = settledLeader();
    driver.propose('x');
    const begin = driver.now;
    for (let i = 0; i < 10 && driver.core.stats().peers['b']!.match < 2; i++) {
      // The follower answers heartbeats: its log ends at entry 1. What that makes the leader send arrives.
      const heartbeats = driver.sent('appendEntries', 'b', driver.pass(150));
      const again = heartbeats.flatMap((send) => driver.answer(send, { lastLog: 1 }));
      driver.acknowledge('b', again);
    }
    expect(driver.core.stats().peers['b']!.match).toBe(2);
    expect(driver.now - begin).toBeLessThan(1000);
  });

  test('a pipelined append that overtook the one before it, and was refused, is sent again', () => {
    const driver = settledLeader({ config: { maxAppendEntries: 1 } });
    const [first, second] = driver.sent('appendEntries', 'b', driver.propose('x', 'y'));
    const refusal = { success: false, lastLog: 1, conflictIndex: 2, conflictTerm: 0 };
    // The follower saw the second one first; the answers come in the order of the requests.
    driver.answer(first!);
    const again = driver.sent('appendEntries', 'b', driver.answer(second!, refusal));
    expect(again.flatMap(({ request }) => request.entries.map(({ index }) => index))).toEqual([3]);
    driver.acknowledge('b', again);
    expect(driver.core.stats().peers['b']).toMatchObject({ match: 3, mode: 'replicate' });
  });

  test('the store is asked for what is not in memory any more, once at a time', () => {
    const log = Array<number>(30).fill(1);
    const driver = new CoreDriver({ log, term: 1, config: { maxAppendEntries: 10 } });
    driver.becomeLeader();
    driver.answer(driver.sent('appendEntries', 'b')[0]!, { success: false, conflictIndex: 1, lastLog: 0 });
    expect(driver.ofType('readLog')).toMatchObject([{ peerId: 'b', from: 1, to: 10 }]);
    driver.acknowledge('b', driver.sent('appendEntries', 'b').slice(-1));
    const wanted: RpcRequest[] = driver.sent('appendEntries', 'b').map(({ request }) => request);
    const indexes = wanted
      .flatMap((request) => ('entries' in request ? request.entries : []))
      .map((e: LogEntry) => e.index);
    expect(indexes).toEqual([31, ...Array.from({ length: 31 }, (_, i) => i + 1)]);
  });

  test('a read that comes too late for what is wanted now is not sent', () => {
    const driver = new CoreDriver({ log: [1, 1, 1], term: 1 });
    driver.becomeLeader();
    const epoch = driver.core.leaderEpoch!;
    const effects = driver.step({ type: 'logRead', peerId: 'b', epoch, entries: entriesOf([1, 1]) });
    expect(driver.sent('appendEntries', 'b', effects)).toEqual([]);
  });
});

describe('rule 11: missing entries are never holes', () => {
  test('a tombstone keeps index and term: logs are compared as before', () => {
    const driver = new CoreDriver({ term: 1 });
    const tombstone: LogEntry = { index: 1, term: 1, type: EntryType.tombstone, data: new Uint8Array(32) };
    expect(driver.append('b', 1, [0, 0], [tombstone, entry(2, 1)])).toMatchObject({ success: true, matchIndex: 2 });
    expect(driver.append('b', 1, [0, 0], entriesOf([1, 1, 1]))).toMatchObject({ success: true, matchIndex: 3 });
    // What is there stays, as long as index and term agree.
    expect(driver.stored.map(({ type }) => type)).toEqual([16, 0, 0]);
  });

  test('a restarted server with tombstones is not readable, and takes no snapshot, before it has applied past them', async () => {
    const cluster = await TestCluster.start(3);
    for (const { machine } of cluster.up) machine.onApply = ({ index }, context) => context.redact(index - 1);
    for (const line of ['one', 'two', 'three']) await cluster.apply(line);
    await cluster.converge();
    await cluster.clock.advance(100);
    for (const { id } of cluster.up) await cluster.stop(id);
    for (const id of cluster.servers.keys()) await cluster.restart(id);
    const { raft } = cluster.server('a');
    expect([raft.appliedIndex, raft.readable]).toEqual([0, false]);
    await cluster.leader();
    await cluster.converge();
    for (const server of cluster.up) {
      expect(server.raft.readable).toBe(true);
      expect(server.machine.lines).toEqual(['three']);
    }
    await cluster.shutdown();
  });

  test('a follower that is behind what superseded its tombstones takes no snapshot', async () => {
    const cluster = await TestCluster.start(3);
    const leader = await cluster.leader();
    const behind = cluster.up.find(({ id }) => id !== leader.id)!;
    await cluster.apply('x');
    await cluster.converge();
    cluster.network.filter = (_from, to, message) =>
      !(to === behind.id && message.kind === 'appendEntries' && message.entries.length > 0);
    for (const { machine } of cluster.up) machine.onApply = ({ index }, context) => context.redact(index - 1);
    await cluster.apply('y');
    await cluster.clock.advance(500);
    expect(behind.raft.readable).toBe(false);
    await expect(behind.raft.snapshot()).rejects.toMatchObject({ code: 'RAFT_SNAPSHOT_FAILED', retryable: true });
    cluster.network.filter = () => true;
    await cluster.converge();
    expect((await behind.raft.snapshot()).index).toBe(behind.raft.appliedIndex);
    await cluster.shutdown();
  });

  test('who applies past a tombstone is told up to which index its state lacks what was there', async () => {
    const cluster = await TestCluster.start(3);
    const leader = await cluster.leader();
    const behind = cluster.up.find(({ id }) => id !== leader.id)!;
    await cluster.converge();
    const seen = new Map<string, [text: string, lacks: boolean][]>();
    for (const { id, raft, machine } of cluster.up) {
      machine.onApply = ({ index, data }, context) => {
        const text = Buffer.from(data).toString();
        seen.set(id, [...(seen.get(id) ?? []), [text, raft.incompleteUntil > index]]);
        if (text === 'new') context.redact(index - 2);
      };
    }
    cluster.network.isolate(behind.id);
    for (const line of ['old', 'between', 'new']) await cluster.apply(line);
    await cluster.clock.advance(500);
    cluster.network.heal();
    const applied = (): boolean => cluster.up.every(({ raft }) => raft.appliedIndex === leader.raft.lastIndex);
    await cluster.clock.advanceUntil(applied, 20_000);
    await cluster.apply('later');
    await cluster.clock.advanceUntil(applied, 20_000);
    expect(seen.get(leader.id)!.map(([, lacks]) => lacks)).toEqual([false, false, false, false]);
    expect(seen.get(behind.id)).toEqual([
      ['between', true],
      ['new', false],
      ['later', false],
    ]);
    await cluster.shutdown();
  });

  test('a hash that the state machine gives is that of the tombstone; what stood there is not read', async () => {
    const cluster = await TestCluster.start(1);
    const server = await cluster.leader();
    const { index } = await cluster.apply('abc');
    const said = new Uint8Array(32).fill(7);
    server.machine.onApply = (_, context) => {
      for (const wanted of [0, -1, index, index + 1]) context.redact(wanted, said);
    };
    await cluster.apply('def');
    await cluster.clock.advance(100);
    const [stone, next] = server.logStore.read(index, index + 1, 1e9);
    expect(stone).toMatchObject({ index, term: next!.term, type: 16, data: said });
    expect(next!.type).toBe(0);
    await cluster.shutdown();
  });

  test('only commands below the entry being applied are redacted, and the hash of what stood there stays', async () => {
    const cluster = await TestCluster.start(1);
    const server = await cluster.leader();
    const { index } = await cluster.apply('abc');
    server.machine.onApply = (_, context) => {
      for (const wanted of [0, -1, 1, 2, index, index + 1, index + 2]) context.redact(wanted);
    };
    await cluster.apply('def');
    await cluster.clock.advance(100);
    const entries = server.logStore.read(1, index + 1, 1e9);
    expect(entries.map(({ type }) => type)).toEqual([5, 1, 16, 0]);
    expect(Buffer.from(entries[2]!.data).toString('hex')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
    expect(entries[2]).toMatchObject({ index, term: entries[3]!.term });
    await cluster.shutdown();
  });
});
