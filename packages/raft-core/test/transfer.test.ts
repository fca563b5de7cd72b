// What a caller can do about a leadership transfer that it asked for.
import type { RaftError, Transferred } from '../src/index.js';
import { TestCluster, type TestServer } from './support/test-cluster.js';

let cluster: TestCluster;
afterEach(() => cluster.shutdown());

/** A leader, and a voter that cannot be reached: a transfer to it goes on until somebody ends it. */
async function stalledTarget(): Promise<{ leader: TestServer; target: string }> {
  cluster = await TestCluster.start(3);
  const leader = await cluster.leader();
  await cluster.apply('first');
  const target = cluster.up.find(({ id }) => id !== leader.id)!.id;
  cluster.network.cut(leader.id, target);
  await cluster.apply('the target lacks this');
  return { leader, target };
}

function errorOf(promise: Promise<unknown>): Promise<RaftError | undefined> {
  return promise.then(
    () => undefined,
    (error: unknown) => error as RaftError,
  );
}

test('who aborts it gets an error at once, and writes are taken again at once', async () => {
  const { leader, target } = await stalledTarget();
  const abort = new AbortController();
  const transfer = errorOf(leader.raft.leadershipTransfer(target, { signal: abort.signal }));
  await cluster.clock.advance(50);
  const refused = errorOf(leader.raft.apply(Buffer.from('x')));
  expect(await cluster.clock.resolve(refused, 10)).toMatchObject({ code: 'RAFT_TRANSFER_IN_PROGRESS' });
  const before = cluster.clock.now();
  abort.abort();
  expect(await transfer).toMatchObject({ code: 'RAFT_ABORTED', details: { target, told: false } });
  expect(cluster.clock.now()).toBe(before);
  await cluster.apply('taken', leader);
  expect(leader.raft.state).toBe('leader');
});

test('its own time limit ends it, sooner or later than an election timeout', async () => {
  const { leader, target } = await stalledTarget();
  for (const timeoutMs of [100, 2500]) {
    const begin = cluster.clock.now();
    const transfer = errorOf(leader.raft.leadershipTransfer(target, { timeoutMs }));
    expect(await cluster.clock.resolve(transfer, 5000)).toMatchObject({
      code: 'RAFT_TIMEOUT',
      details: { told: false },
    });
    const tookMs = cluster.clock.now() - begin;
    expect(tookMs).toBeGreaterThanOrEqual(timeoutMs);
    expect(tookMs).toBeLessThan(timeoutMs + 50);
  }
  await cluster.apply('taken', leader);
});

test('a target that was told may still take over; the error says so', async () => {
  cluster = await TestCluster.start(3);
  const leader = await cluster.leader();
  await cluster.apply('first');
  await cluster.converge();
  const target = cluster.up.find(({ id }) => id !== leader.id)!.id;
  const abort = new AbortController();
  const transfer = errorOf(leader.raft.leadershipTransfer(target, { signal: abort.signal }));
  abort.abort();
  expect(await transfer).toMatchObject({ code: 'RAFT_ABORTED', details: { target, told: true } });
  await cluster.clock.advanceUntil(() => cluster.raft(target).state === 'leader', 2000);
  await cluster.apply('at the next leader');
  expect(await cluster.converge()).toEqual(['first', 'at the next leader']);
});

test('one that is carried through says to whom, and is not touched by a later abort', async () => {
  cluster = await TestCluster.start(3);
  const leader = await cluster.leader();
  await cluster.apply('first');
  const abort = new AbortController();
  const { target, term }: Transferred = await cluster.clock.resolve(
    leader.raft.leadershipTransfer(null, { signal: abort.signal, timeoutMs: 500 }),
    1000,
  );
  abort.abort();
  await cluster.clock.advanceUntil(() => cluster.raft(target).state === 'leader', 2000);
  expect(cluster.raft(target).term).toBe(term);
  const again = await errorOf(cluster.raft(target).leadershipTransfer(null, { signal: abort.signal }));
  expect(again).toMatchObject({ code: 'RAFT_ABORTED', details: { told: false } });
  expect(await errorOf(cluster.raft(target).leadershipTransfer(null, { timeoutMs: 0 }))).toMatchObject({
    code: 'RAFT_INVALID_OPTION',
  });
  await cluster.apply('still taken');
});
