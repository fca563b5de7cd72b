// Observers as iterators: in order, bounded, and always ended.
import type { Observer, RaftError } from '../src/index.js';
import { TestCluster } from './support/test-cluster.js';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await TestCluster.start(3);
});
afterEach(() => cluster.shutdown());

/** What an observer delivers until it ends. */
async function all<T>(observer: Observer<T>): Promise<T[]> {
  const events: T[] = [];
  for await (const event of observer) events.push(event);
  return events;
}

test('delivers the events of its kind in order, and ends when the node stops', async () => {
  const { raft } = cluster.server('a');
  const told: unknown[] = [];
  raft.on('leaderChange', (event) => told.push(event));
  const observed = all(raft.observe('leaderChange'));
  const leader = await cluster.leader();
  await cluster.stop(leader.id === 'a' ? 'b' : leader.id);
  await cluster.leader();
  await raft.shutdown();
  expect(told.length).toBeGreaterThan(0);
  expect(await observed).toEqual(told);
});

test('the shutdown itself is observed, and all that came before it', async () => {
  const { raft, machine } = await cluster.leader();
  machine.onApply = () => {
    throw new Error('broken');
  };
  const shutdowns = all(raft.observe('shutdown'));
  const commits = all(raft.observe('commit'));
  raft.apply(Buffer.from('x')).catch(() => undefined);
  await cluster.clock.advance(100);
  expect(await shutdowns).toEqual([{ error: raft.failure }]);
  expect((await commits).at(-1)).toEqual({ index: raft.commitIndex });
});

test('a slow observer loses the oldest events, and knows how many', async () => {
  const leader = await cluster.leader();
  await cluster.clock.advance(100);
  const observer = leader.raft.observe('commit', { bufferEvents: 3 });
  const first = leader.raft.commitIndex + 1;
  for (let i = 0; i < 10; i++) await cluster.apply(`${i}`, leader);
  expect(observer.dropped).toBe(7);
  expect(await observer.next()).toEqual({ done: false, value: { index: first + 7 } });
  await leader.raft.shutdown();
  expect(await all(observer)).toEqual([{ index: first + 8 }, { index: first + 9 }]);
});

test('only what passes the filter is kept and counted', async () => {
  const leader = await cluster.leader();
  await cluster.clock.advance(100);
  const observer = leader.raft.observe('commit', { bufferEvents: 1, filter: ({ index }) => index % 2 === 0 });
  for (let i = 0; i < 4; i++) await cluster.apply(`${i}`, leader);
  expect(observer.dropped).toBe(1);
  expect((await observer.next()).value.index % 2).toBe(0);
});

test('an abort ends it, also while it waits, and drops what waits', async () => {
  const leader = await cluster.leader();
  const controller = new AbortController();
  const idle = leader.raft.observe('snapshotTaken', { signal: controller.signal });
  const busy = leader.raft.observe('commit', { signal: controller.signal });
  const waiting = idle.next();
  await cluster.apply('x', leader);
  controller.abort();
  expect((await waiting).done).toBe(true);
  expect(await all(busy)).toEqual([]);
  expect(await all(leader.raft.observe('commit', { signal: controller.signal }))).toEqual([]);
});

test('leaving the loop ends it; other observers go on', async () => {
  const leader = await cluster.leader();
  const left = leader.raft.observe('commit');
  const kept = leader.raft.observe('commit');
  await cluster.apply('x', leader);
  for await (const { index } of left) if (index > 0) break;
  await cluster.apply('y', leader);
  expect((await left.next()).done).toBe(true);
  await leader.raft.shutdown();
  expect((await all(kept)).length).toBeGreaterThanOrEqual(2);
});

test.each(['another listener', 'its own filter'])('%s may end it: then it gets nothing more', async (who) => {
  await cluster.apply('w');
  const { raft } = await cluster.leader();
  if (who === 'another listener') raft.on('commit', () => void observer.return());
  const observer: Observer<{ readonly index: number }> = raft.observe('commit', {
    filter: () => {
      if (who === 'its own filter') void observer.return();
      return true;
    },
  });
  await cluster.apply('x');
  expect(await observer.next()).toEqual({ done: true, value: undefined });
});

test('several calls of next get one event each', async () => {
  const leader = await cluster.leader();
  await cluster.clock.advance(100);
  const first = leader.raft.commitIndex + 1;
  const observer = leader.raft.observe('commit');
  const both = [observer.next(), observer.next()];
  await cluster.apply('x', leader);
  await cluster.apply('y', leader);
  expect(await Promise.all(both)).toEqual([
    { done: false, value: { index: first } },
    { done: false, value: { index: first + 1 } },
  ]);
});

test('of a stopped node it ends at once', async () => {
  const { raft } = cluster.server('a');
  await raft.shutdown();
  expect(await all(raft.observe('commit'))).toEqual([]);
});

test.each([0, 1.5, NaN, -1])('a buffer of %d events is refused', (bufferEvents) => {
  let code: string | undefined;
  try {
    cluster.raft('a').observe('commit', { bufferEvents });
  } catch (error) {
    code = (error as RaftError).code;
  }
  expect(code).toBe('RAFT_INVALID_OPTION');
});
