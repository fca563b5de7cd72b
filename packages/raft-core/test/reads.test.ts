// Linearizable reads: on followers, and by lease.
import type { RaftConfig, RaftError } from '../src/index.js';
import { appendRequest, CoreDriver, voteRequest, type Send } from './support/core-driver.js';
import { TestCluster, type TestServer } from './support/test-cluster.js';

function errorOf(promise: Promise<unknown>): Promise<RaftError> {
  return promise.then(
    () => {
      throw new Error('it resolved');
    },
    (error: unknown) => error as RaftError,
  );
}

describe('a read on a follower', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.shutdown());

  async function settled(config = {}): Promise<{ leader: TestServer; follower: TestServer }> {
    cluster = await TestCluster.start(3, { config });
    await cluster.apply('first');
    await cluster.converge();
    const leader = await cluster.leader();
    return { leader, follower: cluster.up.find(({ id }) => id !== leader.id)! };
  }
  const asked = (): number => cluster.network.delivered.filter(({ message }) => message.kind === 'readIndex').length;

  test('sees all that was acknowledged before the call', async () => {
    const { leader, follower } = await settled();
    // The follower gets entries late, so that it has to wait for them.
    cluster.network.filter = (_, to, message) =>
      to !== follower.id || message.kind !== 'appendEntries' || message.entries.length === 0;
    const { index } = await cluster.apply('second', leader);
    let done = false;
    const reading = follower.raft.readIndex().then((at) => {
      done = true;
      return at;
    });
    await cluster.clock.advance(50);
    expect(done).toBe(false);
    cluster.network.filter = () => true;
    expect(await cluster.clock.resolve(reading, 5000)).toBeGreaterThanOrEqual(index);
    expect(follower.machine.lines).toEqual(['first', 'second']);
  });

  test('shares its request with others that wait', async () => {
    const { follower } = await settled();
    const reads = Array.from({ length: 50 }, () => follower.raft.readIndex());
    await cluster.clock.resolve(Promise.all(reads), 1000);
    expect(asked()).toBe(2);
  });

  test('is refused when the leader does not answer, cannot confirm, or is not known', async () => {
    const { leader, follower } = await settled();
    cluster.network.cut(leader.id, follower.id);
    const silent = errorOf(follower.raft.readIndex());
    await cluster.clock.advance(1100);
    expect((await silent).code).toBe('RAFT_NOT_LEADER');
    cluster.network.heal();
    await cluster.leader();
    cluster.network.filter = (_, __, message) => message.kind !== 'appendEntriesResponse';
    const unconfirmed = errorOf(cluster.up.find(({ raft }) => raft.state === 'follower')!.raft.readIndex());
    await cluster.clock.advance(5000);
    expect((await unconfirmed).retryable).toBe(true);
    cluster.network.isolate(follower.id);
    await cluster.clock.advance(20_000);
    expect(follower.raft.leader).toBeNull();
    expect((await errorOf(follower.raft.readIndex())).code).toBe('RAFT_NOT_LEADER');
  });

  test('is not confirmed by a leader that is cut off', async () => {
    const { leader, follower } = await settled();
    const third = cluster.up.find(({ id }) => id !== leader.id && id !== follower.id)!;
    cluster.network.filter = (_, to, message) => to !== follower.id || message.kind !== 'appendEntries';
    cluster.network.cut(leader.id, third.id);
    const reading = follower.raft.readIndex().catch((error: RaftError) => error.code);
    await cluster.clock.advance(20_000);
    expect(await reading).toBe('RAFT_NOT_LEADER');
  });

  test('ends when what it waits for does not come, and with the node', async () => {
    const { leader, follower } = await settled({ rpcTimeoutMs: 2000 });
    cluster.network.filter = (_, to, message) =>
      to !== follower.id || message.kind !== 'appendEntries' || message.entries.length === 0;
    await cluster.apply('second', leader);
    const late = errorOf(follower.raft.readIndex());
    await cluster.clock.advance(2100);
    expect((await late).code).toBe('RAFT_TIMEOUT');
    const ended = errorOf(follower.raft.readIndex());
    await cluster.clock.advance(1);
    await follower.raft.shutdown();
    expect((await ended).code).toBe('RAFT_SHUTDOWN');
  });

  test('by lease asks nobody on the leader, and still asks the leader on a follower', async () => {
    const { leader, follower } = await settled({ readMode: 'lease' });
    await cluster.clock.advance(500);
    const before = cluster.network.delivered.length;
    let done = false;
    void leader.raft.readIndex().then(() => (done = true));
    await Promise.resolve();
    await cluster.clock.advance(0);
    expect([done, cluster.network.delivered.length]).toEqual([true, before]);
    await cluster.clock.resolve(follower.raft.readIndex(), 10);
    expect(asked()).toBe(1);
  });

  test('by lease is refused where leases are off', async () => {
    const { leader } = await settled();
    expect((await errorOf(leader.raft.readIndex({ mode: 'lease' }))).code).toBe('RAFT_INVALID_OPTION');
  });
});

test('a request to the leader does not leave before the term that it names is stored', () => {
  const driver = new CoreDriver({ durable: false });
  driver.step({ type: 'request', requestId: 1, request: appendRequest('b', 7, [0, 0]) });
  driver.step({ type: 'read', id: 1, forward: true });
  expect(driver.sent('readIndex')).toEqual([]);
  driver.completeWrites();
  expect(driver.sent('readIndex')).toHaveLength(1);
});

describe('a lease', () => {
  const config: Partial<RaftConfig> = { readMode: 'lease', leaderLeaseTimeoutMs: 500, clockDriftMarginMs: 100 };

  /** A leader of a, b and c at time 1000 whose first entry is committed, and whose requests are all answered. */
  function leader(given: Partial<RaftConfig> = {}): CoreDriver {
    const driver = new CoreDriver({ config: { ...config, ...given } });
    driver.now = 1000;
    driver.becomeLeader();
    answerAll(driver);
    return driver;
  }

  function sends(driver: CoreDriver, kind: string): Send[] {
    return driver.effects.filter((effect): effect is Send => effect.type === 'send' && effect.request.kind === kind);
  }

  let answered = 0;
  beforeEach(() => (answered = 0));
  function answerAll(driver: CoreDriver): void {
    for (let all = sends(driver, 'appendEntries'); answered < all.length; all = sends(driver, 'appendEntries')) {
      driver.answer(all[answered++]!);
    }
  }

  const isConfirmed = (driver: CoreDriver, id: number): boolean =>
    driver.step({ type: 'read', id, mode: 'lease' }).some((effect) => effect.type === 'resolveReads');

  test('runs from the time at which the answered requests were sent, less the margin', () => {
    const driver = leader();
    expect(driver.core.state).toBe('leader');
    driver.now = 1399;
    expect(isConfirmed(driver, 1)).toBe(true);
    driver.now = 1400;
    expect(isConfirmed(driver, 2)).toBe(false);
  });

  test('is not extended by an answer that comes late', () => {
    const driver = leader();
    driver.now = 1200;
    driver.step({ type: 'tick' });
    driver.now = 1450;
    answerAll(driver);
    driver.now = 1599;
    expect(isConfirmed(driver, 1)).toBe(true);
    driver.now = 1601;
    expect(isConfirmed(driver, 2)).toBe(false);
  });

  test('needs a margin that is shorter than it, and the option', () => {
    expect(isConfirmed(leader({ clockDriftMarginMs: 500 }), 1)).toBe(false);
    answered = 0;
    expect(isConfirmed(leader({ readMode: 'quorum' }), 1)).toBe(false);
  });

  test('is over for good when a transfer is begun, even if that fails', () => {
    const driver = leader();
    expect(isConfirmed(driver, 1)).toBe(true);
    driver.step({ type: 'transfer', id: 1, target: 'b' });
    expect(isConfirmed(driver, 2)).toBe(false);
    driver.step({ type: 'rpcFailed', rpcId: sends(driver, 'timeoutNow')[0]!.rpcId, peerId: 'b' });
    answerAll(driver);
    expect(isConfirmed(driver, 3)).toBe(false);
  });

  test('is not lengthened by the respite of a leader that was late', () => {
    const driver = leader();
    driver.now = 3000;
    driver.step({ type: 'tick' });
    expect(driver.core.state).toBe('leader');
    expect(isConfirmed(driver, 1)).toBe(false);
  });

  test('is kept by servers that have just started: they vote for nobody as long as one may run', () => {
    const driver = new CoreDriver({ config, log: [1], term: 1 });
    driver.now = 999;
    const early = driver.step({ type: 'request', requestId: 1, request: voteRequest('b', 5, [9, 2]) });
    expect(early).toContainEqual(
      expect.objectContaining({ type: 'reply', response: expect.objectContaining({ granted: false, term: 1 }) }),
    );
    driver.now = 1000;
    driver.step({ type: 'request', requestId: 2, request: voteRequest('b', 5, [9, 2]) });
    expect(driver.hardState).toEqual({ term: 5, votedFor: 'b' });
  });
});
