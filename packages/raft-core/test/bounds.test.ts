// What a leader does when its own disk or state machine does not keep up, and how a node tells of itself.
import {
  MemoryLogStore,
  MemorySnapshotStore,
  MemoryStableStore,
  Raft,
  RAFT_METRICS,
  type Clock,
  type LogStore,
  type MetricName,
  type RaftError,
} from '../src/index.js';
import { resolveConfig } from '../src/core/options.js';
import { CoreDriver } from './support/core-driver.js';
import { TestCluster, TextMachine } from './support/test-cluster.js';

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return (error as RaftError).code;
  }
  return 'none';
}

describe('maxEntryBytes', () => {
  test('must fit maxUncommittedBytes, with its overhead', () => {
    expect(codeOf(() => resolveConfig({ maxEntryBytes: 1000, maxUncommittedBytes: 1031 }))).toBe('RAFT_INVALID_OPTION');
    expect(codeOf(() => resolveConfig({ maxEntryBytes: 1000, maxUncommittedBytes: 1032 }))).toBe('none');
    expect(codeOf(() => resolveConfig({ maxUncommittedBytes: 32 }))).toBe('RAFT_INVALID_OPTION');
  });

  test('follows a smaller maxUncommittedBytes when it is not given', () => {
    expect(resolveConfig({ maxUncommittedBytes: 2000 }).maxEntryBytes).toBe(1968);
  });
});

describe('the apply backlog', () => {
  test('over it proposals are refused, and taken again when the state machine has caught up', () => {
    const driver = new CoreDriver({ voters: ['a'], config: { maxApplyBacklogBytes: 100, maxEntryBytes: 1000 } });
    driver.becomeLeader();
    driver.step({ type: 'applied', index: driver.core.commitIndex });
    driver.propose('x'.repeat(69)); // 101 bytes, committed at once
    expect(driver.core.stats().backlogBytes).toBe(101);
    expect(driver.propose('y')).toContainEqual(
      expect.objectContaining({
        outcome: 'notAppended',
        failure: expect.objectContaining({ code: 'RAFT_OVERLOADED' }),
      }),
    );
    driver.step({ type: 'applied', index: driver.core.commitIndex });
    expect(driver.core.stats().backlogBytes).toBe(0);
    expect(driver.ofType('proposed', driver.propose('y'))).toHaveLength(1);
  });

  test('does not hold more of the log in memory than the bounds allow', () => {
    const config = { maxApplyBacklogBytes: 1000, logCacheBytes: 1000, maxEntryBytes: 100 };
    const driver = new CoreDriver({ voters: ['a'], config });
    driver.becomeLeader();
    for (let i = 0; i < 9; i++) driver.propose('x'.repeat(88)); // 120 bytes each
    driver.step({ type: 'applied', index: 0 });
    expect(driver.core.stats().cacheBytes).toBeLessThanOrEqual(2000 + 120);
  });
});

describe('a leader whose own work does not move (rule 5)', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.shutdown());

  /** A cluster in which the disk of the leader can be made to hang. */
  async function hangingCluster(n: number): Promise<{ hang: (id: string) => void; release: () => void }> {
    const hanging = new Set<string>();
    let waiting: (() => void)[] = [];
    const wrap = (id: string, store: LogStore): LogStore =>
      new Proxy(store, {
        get: (target, name) => {
          const value: unknown = Reflect.get(target, name, target);
          if (typeof value !== 'function') return value;
          if (name !== 'append') return value.bind(target) as unknown;
          return (entries: Parameters<LogStore['append']>[0]) =>
            hanging.has(id)
              ? new Promise<void>((resolve) => waiting.push(() => resolve(target.append(entries))))
              : target.append(entries);
        },
      });
    cluster = await TestCluster.start(n, {
      wrap: (id, stores) => ({ ...stores, logStore: wrap(id, stores.logStore) }),
    });
    await cluster.apply('first');
    await cluster.converge();
    return {
      hang: (id) => hanging.add(id),
      release: () => {
        hanging.clear();
        for (const go of waiting) go();
        waiting = [];
      },
    };
  }

  test('hands leadership over to one whose disk works', async () => {
    const { hang, release } = await hangingCluster(3);
    const leader = await cluster.leader();
    hang(leader.id);
    const outcome = leader.raft.apply(Buffer.from('second')).catch((error: RaftError) => error.code);
    await cluster.clock.advanceUntil(
      () => cluster.up.some(({ id, raft }) => id !== leader.id && raft.state === 'leader'),
      6000,
    );
    expect(leader.raft.state).toBe('follower');
    release();
    expect(await cluster.clock.resolve(outcome, 5000)).toMatchObject({ response: 2 });
    expect(await cluster.converge()).toEqual(['first', 'second']);
  });

  test('steps down when nobody takes over', async () => {
    const { hang, release } = await hangingCluster(3);
    const leader = await cluster.leader();
    cluster.network.filter = (_, __, message) => message.kind !== 'timeoutNow';
    const down: number[] = [];
    leader.raft.on('stateChange', ({ from }) => from === 'leader' && down.push(cluster.clock.now()));
    const begin = cluster.clock.now();
    hang(leader.id);
    leader.raft.apply(Buffer.from('second')).catch(() => undefined);
    await cluster.clock.advance(9000);
    expect(down).toHaveLength(1);
    expect(down[0]! - begin).toBeLessThan(7000);
    release();
    await cluster.clock.advance(5000);
  });

  test('goes on when it is alone', async () => {
    const { hang, release } = await hangingCluster(1);
    const { raft } = cluster.server('a');
    hang('a');
    const applied = raft.apply(Buffer.from('second'));
    await cluster.clock.advance(10_000);
    expect(raft.state).toBe('leader');
    release();
    expect((await cluster.clock.resolve(applied, 1000)).response).toBe(2);
  });

  test('a leader that was late itself looks again first', () => {
    const driver = new CoreDriver({ config: { checkQuorum: false } });
    driver.becomeLeader();
    driver.durable = false;
    driver.acknowledge('b');
    driver.step({ type: 'applied', index: driver.core.commitIndex });
    driver.propose('x');
    driver.step({ type: 'tick' });
    driver.now += 5000;
    driver.step({ type: 'tick' });
    expect(driver.sent('timeoutNow')).toEqual([]);
    for (let i = 0; i < 46; i++) {
      driver.now += 100;
      driver.step({ type: 'tick' });
    }
    driver.acknowledge('b');
    expect(driver.sent('timeoutNow')).toHaveLength(1);
  });
});

describe('metrics', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.shutdown());

  test('are the closed list, each a number, with a unit and a word of help', async () => {
    cluster = await TestCluster.start(3);
    const { raft } = cluster.server('a');
    const metrics = raft.metrics();
    expect(Object.keys(metrics).sort()).toEqual(Object.keys(RAFT_METRICS).sort());
    for (const name of Object.keys(metrics) as MetricName[]) {
      expect(Number.isFinite(metrics[name])).toBe(true);
      expect(RAFT_METRICS[name].help).not.toBe('');
    }
    expect(metrics.lastContactMs).toBe(-1);
  });

  test('tell what happened', async () => {
    cluster = await TestCluster.start(3);
    for (let i = 0; i < 5; i++) await cluster.apply(`${i}`);
    await cluster.converge();
    const { raft, id } = await cluster.leader();
    await cluster.clock.resolve(raft.readIndex(), 1000);
    await cluster.clock.resolve(raft.snapshot(), 1000);
    const metrics = raft.metrics();
    expect(metrics).toMatchObject({
      isLeader: 1,
      hasLeader: 1,
      term: raft.term,
      leaderships: 1,
      entriesProposed: 5,
      entriesApplied: raft.appliedIndex,
      readsConfirmed: 1,
      snapshotsTaken: 1,
      snapshotIndex: raft.appliedIndex,
      pendingProposals: 0,
      applyBacklogBytes: 0,
      peersBehind: 0,
    });
    expect(metrics.bytesApplied).toBeGreaterThanOrEqual(5 * 33);
    expect(metrics.requestsSent).toBeGreaterThan(10);
    const follower = cluster.up.find((server) => server.id !== id)!;
    expect(follower.raft.metrics()).toMatchObject({ isLeader: 0, leaderships: 0, entriesProposed: 0 });
    cluster.network.isolate(follower.id);
    for (let i = 0; i < 5; i++) await cluster.apply(`${i}`);
    await cluster.clock.advance(3000);
    expect(raft.metrics()).toMatchObject({ peersBehind: 5, heartbeatsFailed: 1 });
  });

  test('tell how late the event loop lets timers run', async () => {
    cluster = await TestCluster.start(1);
    const inTime = await cluster.leader();
    expect(inTime.raft.metrics()).toMatchObject({ eventLoopLagMs: 0, eventLoopLagMaxMs: 0 });

    const { clock } = cluster;
    let lagMs = 70;
    const late: Clock = {
      now: () => clock.now(),
      wallNow: () => clock.wallNow(),
      defer: (callback) => clock.defer(callback),
      setTimer: (delayMs, callback) => clock.setTimer(delayMs + lagMs, callback),
    };
    const raft = await Raft.create({
      id: 'late',
      address: 'address-of-late',
      transport: cluster.network.transport('late'),
      logStore: new MemoryLogStore(),
      stableStore: new MemoryStableStore(),
      snapshotStore: new MemorySnapshotStore(),
      stateMachine: new TextMachine(),
      clock: late,
    });
    await clock.advance(2500);
    expect(raft.metrics().eventLoopLagMs).toBeCloseTo(70);
    lagMs = 0;
    await clock.advance(5000);
    expect(raft.metrics().eventLoopLagMs).toBeCloseTo(0);
    expect(raft.metrics().eventLoopLagMaxMs).toBeCloseTo(70);
    await raft.shutdown();
  });
});
