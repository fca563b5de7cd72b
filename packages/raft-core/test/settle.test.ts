// Promises always settle: whatever ends the call, the term or the node, and in whatever state it comes.
import { RaftError, seededRandom, type Raft } from '../src/index.js';
import { voteRequest } from './support/core-driver.js';
import { holdSnapshotCall } from './support/slow-stores.js';
import { TestCluster, type TestServer } from './support/test-cluster.js';

type Outcome = { readonly code: string; readonly outcome?: unknown };

/** What became of a promise: 'resolved', or the error's code and outcome. */
function outcomeOf(promise: Promise<unknown>): Promise<Outcome> {
  return promise.then(
    () => ({ code: 'resolved' }),
    (error: unknown) => {
      if (!(error instanceof RaftError)) throw error;
      return { code: error.code, ...(error.details.outcome ? { outcome: error.details.outcome } : {}) };
    },
  );
}

/** Every call that gives a promise. */
const CALLS: Record<string, (raft: Raft<number>) => Promise<unknown>> = {
  apply: (raft) => raft.apply(Buffer.from('x')),
  barrier: (raft) => raft.barrier(),
  verifyLeader: (raft) => raft.verifyLeader(),
  readIndex: (raft) => raft.readIndex(),
  leadershipTransfer: (raft) => raft.leadershipTransfer(),
};
const NAMES = Object.keys(CALLS);

let cluster: TestCluster;
afterEach(() => cluster.shutdown());

async function settledCluster(config = {}): Promise<TestServer> {
  cluster = await TestCluster.start(3, { config });
  await cluster.apply('first');
  await cluster.converge();
  return cluster.leader();
}

describe('calls on a node that does not lead', () => {
  // A follower has the leader confirm its reads.
  test.each(NAMES.filter((name) => name !== 'readIndex'))('%s of a follower tells who leads', async (name) => {
    const leader = await settledCluster();
    const follower = cluster.up.find(({ id }) => id !== leader.id)!;
    const error = await CALLS[name]!(follower.raft).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'RAFT_NOT_LEADER',
      retryable: true,
      details: { leaderId: leader.id, leaderAddress: `address-of-${leader.id}` },
    });
  });

  test.each(NAMES)('%s of a candidate, and of one that asks for pre-votes', async (name) => {
    for (const [preVote, state] of [
      [true, 'preCandidate'],
      [false, 'candidate'],
    ] as const) {
      cluster = await TestCluster.start(3, { config: { preVote } });
      cluster.network.filter = () => false;
      await cluster.clock.advanceUntil(() => cluster.raft('a').state === state, 10_000);
      expect((await outcomeOf(CALLS[name]!(cluster.raft('a')))).code).toBe('RAFT_NOT_LEADER');
      await cluster.shutdown();
    }
  });

  test.each(NAMES)('%s of a node that was never bootstrapped', async (name) => {
    cluster = await TestCluster.start(1);
    const { raft } = await cluster.add('x');
    await cluster.clock.advance(30_000);
    expect(raft).toMatchObject({ state: 'follower', term: 0, leader: null });
    expect((await outcomeOf(CALLS[name]!(raft))).code).toBe('RAFT_NOT_LEADER');
  });
});

describe('shutdown', () => {
  test.each([...NAMES, 'snapshot', 'bootstrap'])('%s after it is refused', async (name) => {
    const { raft } = await settledCluster();
    await raft.shutdown();
    expect(raft.state).toBe('shutdown');
    const calls: typeof CALLS = {
      ...CALLS,
      snapshot: (node) => node.snapshot(),
      bootstrap: (node) => node.bootstrap({ servers: [] }),
    };
    const call = calls[name]!;
    expect((await outcomeOf(call(raft))).code).toBe('RAFT_SHUTDOWN');
  });

  test('settles all that is under way, and says what became of it', async () => {
    const { raft, id } = await settledCluster();
    cluster.network.isolate(id);
    const appended = outcomeOf(raft.apply(Buffer.from('appended')));
    const read = outcomeOf(raft.readIndex());
    await cluster.clock.advance(1);
    const unflushed = outcomeOf(raft.apply(Buffer.from('unflushed')));
    const transfer = outcomeOf(raft.leadershipTransfer());
    const closed = raft.shutdown();
    expect(await appended).toEqual({ code: 'RAFT_SHUTDOWN', outcome: 'unknownOutcome' });
    expect(await unflushed).toEqual({ code: 'RAFT_SHUTDOWN', outcome: 'notAppended' });
    expect((await read).code).toBe('RAFT_SHUTDOWN');
    expect((await transfer).code).toBe('RAFT_SHUTDOWN');
    await closed;
    await raft.shutdown();
  });

  test('a change of the membership that has begun may still come to its end', async () => {
    const { raft } = await settledCluster();
    const change = outcomeOf(raft.addVoter('x', 'address-of-x'));
    await cluster.clock.advance(100);
    await raft.shutdown();
    expect(await change).toEqual({ code: 'RAFT_SHUTDOWN', outcome: 'unknownOutcome' });
    const { configuration } = (await cluster.leader()).raft.getConfiguration();
    expect(configuration.servers).toContainEqual({ id: 'x', address: 'address-of-x', suffrage: 'staging' });
  });

  test('a peer’s request under way and a later one are rejected', async () => {
    const { raft, id } = await settledCluster();
    let asked = 0;
    cluster.network.filter = (_, to) => {
      if (to === id) asked++;
      return true;
    };
    await raft.shutdown();
    await cluster.clock.advance(5000);
    expect(asked).toBeGreaterThan(0);
    expect((await cluster.leader()).id).not.toBe(id);
  });

  test.each(['create', 'write', 'close'] as const)(
    'of a server that takes a snapshot waits for its store to %s, and then nothing is written any more',
    async (held) => {
      const leader = await settledCluster({ trailingLogs: 0 });
      const away = cluster.up.find(({ id }) => id !== leader.id)!;
      await cluster.stop(away.id);
      await cluster.apply('second');
      await leader.raft.snapshot();
      const { calls, open } = holdSnapshotCall(away.snapshotStore, held);
      await cluster.restart(away.id);
      await cluster.clock.advanceUntil(() => calls.includes(`${held} begins`), 10_000);
      let down = false;
      const shutdown = away.raft.shutdown().then(() => (down = true));
      await cluster.clock.advance(1000);
      expect(down).toBe(false);
      open();
      await shutdown;
      const made = calls.length;
      await cluster.clock.advance(1000);
      expect(calls).toHaveLength(made);
      expect(calls).toContain(`${held} ends`);
    },
  );

  test('leaves no timer that does anything', async () => {
    const { raft } = await settledCluster();
    const events: string[] = [];
    raft.on('stateChange', () => events.push('stateChange'));
    raft.on('commit', () => events.push('commit'));
    raft.on('shutdown', ({ error }) => events.push(`shutdown ${String(error)}`));
    const { term, lastIndex } = raft;
    await raft.shutdown();
    await raft.shutdown();
    await cluster.clock.advance(600_000);
    expect(events).toEqual(['shutdown null']);
    expect(raft).toMatchObject({ term, lastIndex, failure: null });
  });
});

describe('leadership that ends', () => {
  test('reads are refused, a transfer is done', async () => {
    const { raft, id } = await settledCluster();
    cluster.network.isolate(id);
    const reads = [outcomeOf(raft.readIndex()), outcomeOf(raft.verifyLeader())];
    const transfer = outcomeOf(raft.leadershipTransfer());
    await cluster.clock.advanceUntil(() => raft.state !== 'leader', 2000);
    expect((await Promise.all(reads)).map(({ code }) => code)).toEqual([
      'RAFT_LEADERSHIP_LOST',
      'RAFT_LEADERSHIP_LOST',
    ]);
    expect((await transfer).code).toBe('resolved');
  });

  test('a proposal that the next leader commits resolves with its own result', async () => {
    const { raft, id } = await settledCluster();
    // The entry reaches the others; their answers do not come back.
    for (const other of cluster.up) if (other.id !== id) cluster.network.cutOneWay(other.id, id);
    const applied = raft.apply(Buffer.from('kept'));
    await cluster.clock.advanceUntil(() => raft.state !== 'leader', 2000);
    cluster.network.heal();
    expect(await cluster.clock.resolve(applied, 2000)).toMatchObject({ response: 2 });
    expect(await cluster.converge()).toEqual(['first', 'kept']);
  });

  test('a proposal that was not flushed yet is not appended', async () => {
    const { raft, id } = await settledCluster();
    const other = cluster.up.find((server) => server.id !== id)!.id;
    const applied = outcomeOf(raft.apply(Buffer.from('x')));
    const granted = cluster.network.handle(id, voteRequest(other, 99, [99, 99], true));
    expect(await cluster.clock.resolve(applied, 1)).toEqual({ code: 'RAFT_NOT_LEADER', outcome: 'notAppended' });
    expect(await granted).toMatchObject({ granted: true, term: 99 });
  });

  test('a leader that comes and goes without ever committing does not keep callers waiting', async () => {
    const { raft, id } = await settledCluster({ outcomeGraceMs: 4000 });
    cluster.network.filter = (from, _, message) =>
      message.kind !== 'appendEntries' && (from === id || !('lastLogIndex' in message));
    const applied = outcomeOf(raft.apply(Buffer.from('x')));
    let ends = 0;
    raft.on('stateChange', ({ from }) => {
      if (from === 'leader') ends++;
    });
    await cluster.clock.advanceUntil(() => ends > 0, 5000);
    expect(await cluster.clock.resolve(applied, 4001)).toEqual({
      code: 'RAFT_LEADERSHIP_LOST',
      outcome: 'unknownOutcome',
    });
    expect(ends).toBeGreaterThan(1);
  });
});

describe('timeouts and aborts', () => {
  test('a timeout says that the outcome is unknown once the entry is appended', async () => {
    const { raft, id } = await settledCluster();
    cluster.network.isolate(id);
    const begin = cluster.clock.now();
    const applied = outcomeOf(raft.apply(Buffer.from('x'), { timeoutMs: 100 }));
    expect(await cluster.clock.resolve(applied, 1000)).toEqual({ code: 'RAFT_TIMEOUT', outcome: 'unknownOutcome' });
    expect(cluster.clock.now() - begin).toBe(100);
    expect(raft.stats().pendingProposals).toBe(1);
  });

  test('an abort before the entry is appended says so, and it never is', async () => {
    const { raft } = await settledCluster();
    const before = AbortSignal.abort();
    const soon = new AbortController();
    const outcomes = [
      outcomeOf(raft.apply(Buffer.from('x'), { signal: before })),
      outcomeOf(raft.apply(Buffer.from('y'), { signal: soon.signal })),
    ];
    soon.abort();
    expect(await Promise.all(outcomes)).toEqual([
      { code: 'RAFT_ABORTED', outcome: 'notAppended' },
      { code: 'RAFT_ABORTED', outcome: 'notAppended' },
    ]);
    await cluster.apply('z');
    expect(await cluster.converge()).toEqual(['first', 'z']);
  });

  test('an abort after it says that the outcome is unknown: here it is committed', async () => {
    const { raft } = await settledCluster();
    const controller = new AbortController();
    const applied = outcomeOf(raft.apply(Buffer.from('x'), { signal: controller.signal, timeoutMs: 1000 }));
    await cluster.clock.advance(0);
    controller.abort();
    expect(await applied).toEqual({ code: 'RAFT_ABORTED', outcome: 'unknownOutcome' });
    expect(await cluster.converge()).toEqual(['first', 'x']);
  });

  test('a call that is done listens to its signal no more', async () => {
    const { raft } = await settledCluster();
    const controller = new AbortController();
    const removed = jest.spyOn(controller.signal, 'removeEventListener');
    await cluster.clock.resolve(raft.apply(Buffer.from('x'), { signal: controller.signal }), 1000);
    expect(removed).toHaveBeenCalledTimes(1);
  });

  test('a time limit that is none is refused at once', async () => {
    const { raft } = await settledCluster();
    const { lastIndex } = raft;
    const timeoutMs = NaN;
    const data = Buffer.from('x');
    const refused = { code: 'RAFT_INVALID_OPTION', outcome: 'notAppended' };
    expect(await outcomeOf(raft.apply(data, { timeoutMs }))).toEqual(refused);
    expect(await outcomeOf(raft.applyBatch([data], { timeoutMs }))).toEqual(refused);
    expect(await outcomeOf(raft.barrier({ timeoutMs }))).toEqual(refused);
    expect(await outcomeOf(raft.removeServer('a', { timeoutMs }))).toEqual(refused);
    await cluster.clock.advance(100);
    expect(raft.lastIndex).toBe(lastIndex);
  });

  test('a barrier has them too', async () => {
    const { raft, id } = await settledCluster();
    expect(await cluster.clock.resolve(raft.barrier(), 1000)).toBe(raft.appliedIndex);
    cluster.network.isolate(id);
    expect(await cluster.clock.resolve(outcomeOf(raft.barrier({ timeoutMs: 5 })), 100)).toMatchObject({
      code: 'RAFT_TIMEOUT',
    });
  });
});

describe('bounds', () => {
  test('an entry that is too large is refused at once', async () => {
    const { raft } = await settledCluster({ maxEntryBytes: 10 });
    expect(await outcomeOf(raft.apply(Buffer.alloc(11)))).toEqual({
      code: 'RAFT_ENTRY_TOO_LARGE',
      outcome: 'notAppended',
    });
    const extensions = Buffer.alloc(1);
    expect((await outcomeOf(raft.apply(Buffer.alloc(10), { extensions }))).code).toBe('RAFT_ENTRY_TOO_LARGE');
    const applied = raft.apply(Buffer.alloc(9), { extensions });
    const { index } = await cluster.clock.resolve(applied, 1000);
    expect(cluster.up[0]!.logStore.read(index, index, 1e9)[0]?.extensions).toEqual(extensions);
  });

  test('over maxUncommittedBytes proposals are refused, and taken again when entries are committed', async () => {
    const { raft, id } = await settledCluster({ maxUncommittedBytes: 1000 });
    cluster.network.isolate(id);
    const outcomes = Array.from({ length: 20 }, () => outcomeOf(raft.apply(Buffer.alloc(68))));
    await cluster.clock.advance(1);
    cluster.network.heal();
    const results = await cluster.clock.resolve(Promise.all(outcomes), 10_000);
    expect(results.filter(({ code }) => code === 'resolved')).toHaveLength(10);
    expect(results.slice(10)).toEqual(Array(10).fill({ code: 'RAFT_OVERLOADED', outcome: 'notAppended' }));
    expect((await cluster.clock.resolve(outcomeOf(raft.apply(Buffer.alloc(68))), 1000)).code).toBe('resolved');
  });
});

describe('transfers', () => {
  test('to somebody who is no other voter fails', async () => {
    const { raft, id } = await settledCluster();
    for (const target of ['nobody', id]) {
      expect((await outcomeOf(raft.leadershipTransfer(target))).code).toBe('RAFT_TRANSFER_FAILED');
    }
    await cluster.shutdown();
    cluster = await TestCluster.start(1);
    expect((await outcomeOf((await cluster.leader()).raft.leadershipTransfer())).code).toBe('RAFT_TRANSFER_FAILED');
  });

  test('to a server that is down fails, and this node leads on; meanwhile proposals are refused', async () => {
    const { raft, id } = await settledCluster();
    const target = cluster.up.find((server) => server.id !== id)!.id;
    cluster.network.cut(id, target);
    await cluster.apply('it is behind now');
    const transfer = outcomeOf(raft.leadershipTransfer(target));
    expect((await outcomeOf(raft.leadershipTransfer())).code).toBe('RAFT_TRANSFER_IN_PROGRESS');
    const refused = outcomeOf(raft.apply(Buffer.from('x')));
    expect(await cluster.clock.resolve(refused, 10)).toEqual({
      code: 'RAFT_TRANSFER_IN_PROGRESS',
      outcome: 'notAppended',
    });
    expect((await cluster.clock.resolve(transfer, 2000)).code).toBe('RAFT_TRANSFER_FAILED');
    expect(raft.state).toBe('leader');
    expect((await cluster.clock.resolve(outcomeOf(raft.apply(Buffer.from('y'))), 1000)).code).toBe('resolved');
  });

  test('under load: everything settles, and what is acknowledged is there', async () => {
    const { raft } = await settledCluster();
    const acknowledged: string[] = [];
    const outcomes: Promise<unknown>[] = [];
    for (let i = 0; i < 50; i++) {
      const line = `line ${i}`;
      outcomes.push(
        raft.apply(Buffer.from(line)).then(
          () => void acknowledged.push(line),
          () => undefined,
        ),
      );
      if (i === 25) outcomes.push(raft.leadershipTransfer());
      if (i % 5 === 0) await cluster.clock.advance(1);
    }
    await cluster.clock.resolve(Promise.all(outcomes), 10_000);
    expect(await cluster.converge()).toEqual(expect.arrayContaining(acknowledged));
    // Those that were in the log before the transfer began.
    expect(acknowledged.length).toBeGreaterThan(20);
  });
});

describe('a state machine that throws', () => {
  test('stops its node, and its callers hear of it', async () => {
    const { raft, machine } = await settledCluster();
    machine.onApply = () => {
      throw new Error('bug');
    };
    const outcome = await cluster.clock.resolve(outcomeOf(raft.apply(Buffer.from('x'))), 1000);
    expect(outcome).toEqual({ code: 'RAFT_SHUTDOWN', outcome: 'unknownOutcome' });
    expect(raft).toMatchObject({ state: 'shutdown', failure: { code: 'RAFT_STATE_MACHINE_FAILED' } });
  });

  test('in snapshot: the call is rejected and the node goes on', async () => {
    const { raft, machine } = await settledCluster();
    machine.snapshot = () => {
      throw new Error('bug');
    };
    expect((await outcomeOf(raft.snapshot())).code).toBe('RAFT_STATE_MACHINE_FAILED');
    expect((await cluster.clock.resolve(outcomeOf(raft.apply(Buffer.from('x'))), 1000)).code).toBe('resolved');
  });

  test('in restore: the node does not start', async () => {
    cluster = await TestCluster.start(1);
    await cluster.apply('x');
    const { raft, snapshotStore } = await cluster.leader();
    await raft.snapshot();
    await cluster.stop('a');
    const [meta] = snapshotStore.list();
    const open = snapshotStore.open(meta!.id);
    jest
      .spyOn(snapshotStore, 'open')
      .mockReturnValue({ ...open, read: () => Buffer.from('no JSON'.padEnd(meta!.size, '!')) });
    expect((await outcomeOf(cluster.restart('a'))).code).toBe('RAFT_STATE_MACHINE_FAILED');
  });
});

describe('listeners', () => {
  test('one that throws harms neither the node nor the others', async () => {
    const { raft } = await settledCluster();
    const seen: number[] = [];
    const broken = (): never => {
      throw new Error('bug');
    };
    raft.on('commit', broken).on('commit', ({ index }) => seen.push(index));
    const { index } = await cluster.apply('x');
    expect(seen).toEqual([index]);
    raft.off('commit', broken);
    await cluster.apply('y');
    expect(seen).toEqual([index, index + 1]);
  });

  test('are told when the state has settled, in order', async () => {
    cluster = await TestCluster.start(1);
    const { raft } = cluster.server('a');
    const seen: string[] = [];
    raft.on('stateChange', ({ from, to, term }) => seen.push(`${from} > ${to} ${term}, is ${raft.state} ${raft.term}`));
    raft.on('leaderChange', ({ leaderId }) => seen.push(`leader ${leaderId}`));
    await cluster.leader();
    expect(seen).toEqual([
      'follower > preCandidate 1, is leader 2',
      'preCandidate > candidate 2, is leader 2',
      'candidate > leader 2, is leader 2',
      'leader a',
    ]);
  });
});

describe('listeners that call the node', () => {
  test('what comes of it is told when all have heard what came before', async () => {
    cluster = await TestCluster.start(1);
    const { raft } = await cluster.leader();
    const seen: number[] = [];
    let done: Promise<unknown> | undefined;
    raft.on('commit', () => void (done ??= raft.addNonvoter('n', 'address-of-n')));
    raft.on('commit', ({ index }) => seen.push(index));
    const { index } = await cluster.apply('x');
    await done;
    expect(seen).toEqual([index, index + 1]);
  });

  test('one that stops it leaves the others all that came before, and the shutdown as the last', async () => {
    cluster = await TestCluster.start(1);
    const { raft } = await cluster.leader();
    const seen: string[] = [];
    raft.on('configurationChange', () => void raft.shutdown());
    raft.on('configurationChange', () => seen.push('configurationChange'));
    raft.on('peerChange', () => seen.push('peerChange'));
    raft.on('shutdown', () => seen.push('shutdown'));
    const observed = raft.observe('peerChange');
    await outcomeOf(raft.addNonvoter('n', 'address-of-n'));
    expect(seen).toEqual(['configurationChange', 'peerChange', 'shutdown']);
    expect(await observed.next()).toMatchObject({ done: false, value: { peer: { id: 'n' } } });
    expect(await observed.next()).toMatchObject({ done: true });
  });
});

describe('chaos', () => {
  test.each(Array.from({ length: 8 }, (_, i) => i + 1))('seed %i: every call of every kind settles', async (seed) => {
    cluster = await TestCluster.start(5, { seed, config: { trailingLogs: 5, outcomeGraceMs: 500 } });
    const random = seededRandom(seed + 100);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random.next() * items.length)]!;
    const outcomes: Promise<Outcome>[] = [];
    let settled = 0;
    const track = (promise: Promise<unknown>): void => {
      outcomes.push(outcomeOf(promise).finally(() => settled++));
    };
    for (let i = 0; i < 150; i++) {
      const { raft, id } = pick(cluster.up);
      track(CALLS[pick(NAMES)]!(raft));
      if (random.next() < 0.3) track(raft.apply(Buffer.from(`${i}`), { timeoutMs: Math.floor(500 * random.next()) }));
      if (random.next() < 0.1) track(raft.snapshot());
      if (random.next() < 0.1) cluster.network.isolate(id);
      if (random.next() < 0.15) cluster.network.heal();
      if (random.next() < 0.05) {
        await cluster.stop(id);
        await cluster.restart(id);
      }
      await cluster.clock.advance(100 * random.next());
    }
    cluster.network.heal();
    await cluster.clock.advanceUntil(() => settled === outcomes.length, 30_000);
    const codes = new Set((await Promise.all(outcomes)).map(({ code }) => code));
    expect(codes).toContain('resolved');
    for (const { raft } of cluster.up) expect(raft.failure).toBeNull();
    await cluster.converge();
  });
});
