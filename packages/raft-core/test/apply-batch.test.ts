// Many commands in one call: appended together or not at all, and settled whatever happens.
import type { RaftError } from '../src/index.js';
import { TestCluster, type TestServer } from './support/test-cluster.js';

let cluster: TestCluster;
afterEach(() => cluster.shutdown());

const bytes = (...lines: string[]): Uint8Array[] => lines.map((line) => Buffer.from(line));

async function settledCluster(config = {}): Promise<TestServer> {
  cluster = await TestCluster.start(3, { config });
  await cluster.apply('first');
  await cluster.converge();
  return cluster.leader();
}

function abortable(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

function errorOf(promise: Promise<unknown>): Promise<RaftError> {
  return promise.then(
    () => {
      throw new Error('it resolved');
    },
    (error: unknown) => error as RaftError,
  );
}

test('gives one result for each command, in order, at consecutive indexes', async () => {
  const { raft } = await settledCluster();
  const batch = raft.applyBatch(bytes('a', 'b', 'c'));
  const single = raft.apply(Buffer.from('d'));
  const results = await cluster.clock.resolve(batch, 1000);
  expect(results.map(({ response }) => response)).toEqual([2, 3, 4]);
  expect(results.map(({ index }) => index)).toEqual([1, 2, 3].map((i) => results[0]!.index - 1 + i));
  expect(new Set(results.map(({ term }) => term)).size).toBe(1);
  expect((await cluster.clock.resolve(single, 1000)).response).toBe(5);
  expect(await cluster.converge()).toEqual(['first', 'a', 'b', 'c', 'd']);
});

test('a command without a promise is told while it is applied, and refused later, not at once', async () => {
  const leader = await settledCluster({ maxEntryBytes: 10 });
  const heard: unknown[] = [];
  const propose = ({ raft }: TestServer, line: string): void =>
    raft.applyThen(
      Buffer.from(line),
      ({ response, index }) => heard.push([response, index]),
      ({ code, details }) => heard.push([code, details.outcome]),
    );
  const next = leader.raft.lastIndex + 1;
  propose(leader, 'a');
  propose(leader, 'b');
  await cluster.clock.advanceUntil(() => heard.length === 2, 1000);
  expect(heard.splice(0)).toEqual([
    [2, next],
    [3, next + 1],
  ]);
  const follower = cluster.up.find(({ id }) => id !== leader.id)!;
  propose(follower, 'c');
  propose(leader, 'much too long');
  expect(heard).toEqual([]);
  await cluster.clock.advance(0);
  expect(heard.splice(0)).toEqual([
    ['RAFT_NOT_LEADER', 'notAppended'],
    ['RAFT_ENTRY_TOO_LARGE', 'notAppended'],
  ]);
  propose(leader, 'd');
  await cluster.stop(leader.id);
  expect(heard).toEqual([['RAFT_SHUTDOWN', 'notAppended']]);
});

test('an empty batch resolves with nothing, on the leader only', async () => {
  const leader = await settledCluster();
  expect(await leader.raft.applyBatch([])).toEqual([]);
  const follower = cluster.up.find(({ id }) => id !== leader.id)!;
  expect(await errorOf(follower.raft.applyBatch([]))).toMatchObject({
    code: 'RAFT_NOT_LEADER',
    details: { outcome: 'notAppended', leaderId: leader.id },
  });
});

test('one command over maxEntryBytes refuses all', async () => {
  const { raft } = await settledCluster({ maxEntryBytes: 10 });
  const before = raft.lastIndex;
  expect(await errorOf(raft.applyBatch(bytes('short', 'much too long')))).toMatchObject({
    code: 'RAFT_ENTRY_TOO_LARGE',
    retryable: false,
    details: { outcome: 'notAppended', size: 13 },
  });
  expect(raft.lastIndex).toBe(before);
});

test('a batch that can never fit is refused for good, one that does not fit now is refused whole', async () => {
  const { raft, id } = await settledCluster({ maxEntryBytes: 100, maxUncommittedBytes: 10 * 40 });
  const eight = Buffer.alloc(8);
  expect(await errorOf(raft.applyBatch(Array<Uint8Array>(11).fill(eight)))).toMatchObject({
    code: 'RAFT_ENTRY_TOO_LARGE',
  });
  cluster.network.isolate(id);
  const before = raft.lastIndex;
  const fits = raft.applyBatch(Array<Uint8Array>(6).fill(eight));
  await cluster.clock.advance(1);
  const refused = errorOf(raft.applyBatch(Array<Uint8Array>(5).fill(eight)));
  await cluster.clock.advance(1);
  expect(await refused).toMatchObject({ code: 'RAFT_OVERLOADED', details: { outcome: 'notAppended' } });
  expect(raft.lastIndex).toBe(before + 6);
  cluster.network.heal();
  expect(await cluster.clock.resolve(fits, 5000)).toHaveLength(6);
});

test('what is proposed in one turn is bounded too', async () => {
  const { raft } = await settledCluster({ maxEntryBytes: 100, maxUncommittedBytes: 10 * 40 });
  const eight = Buffer.alloc(8);
  const calls = Array.from({ length: 12 }, () => raft.apply(eight).then(String, (error: RaftError) => error.code));
  await cluster.clock.advance(100);
  const outcomes = await Promise.all(calls);
  expect(outcomes.filter((outcome) => outcome === 'RAFT_OVERLOADED')).toHaveLength(2);
  expect((await cluster.clock.resolve(raft.apply(eight), 1000)).response).toBe(12);
});

test('aborted in the turn of the call none is appended, later the outcome is not known', async () => {
  const { raft, id } = await settledCluster();
  const before = raft.lastIndex;
  const early = new AbortController();
  const withdrawn = errorOf(raft.applyBatch(bytes('a', 'b'), { signal: early.signal }));
  const kept = raft.apply(Buffer.from('c'));
  early.abort();
  expect(await withdrawn).toMatchObject({ code: 'RAFT_ABORTED', details: { outcome: 'notAppended' } });
  expect((await cluster.clock.resolve(kept, 1000)).index).toBe(before + 1);
  cluster.network.isolate(id);
  const late = errorOf(raft.applyBatch(bytes('d', 'e'), { timeoutMs: 20 }));
  await cluster.clock.advance(30);
  expect(await late).toMatchObject({ code: 'RAFT_TIMEOUT', details: { outcome: 'unknownOutcome' } });
});

test('a batch whose end is lost with the leadership names what was applied of it', async () => {
  // One entry a request, so that a cut can fall between two commands of a batch.
  const { raft, id } = await settledCluster({ maxAppendEntries: 1, maxInflightAppends: 1 });
  let passed = 0;
  cluster.network.filter = (from, _, message) =>
    from !== id || message.kind !== 'appendEntries' || message.entries.length === 0 || passed++ < 4;
  const failed = errorOf(raft.applyBatch(bytes('a', 'b', 'c', 'd', 'e')));
  await cluster.clock.advanceUntil(() => cluster.server(id).machine.lines.includes('b'), 1000);
  cluster.network.isolate(id);
  await cluster.clock.advanceUntil(() => cluster.up.some((s) => s.id !== id && s.raft.state === 'leader'), 20_000);
  cluster.network.filter = () => true;
  cluster.network.heal();
  await cluster.clock.advance(5000);
  const error = await failed;
  expect(error).toMatchObject({ code: 'RAFT_LEADERSHIP_LOST', details: { outcome: 'lost' } });
  expect((error.details['results'] as { response: number }[]).map(({ response }) => response)).toEqual([2, 3]);
  expect(await cluster.converge()).toEqual(['first', 'a', 'b']);
});

test.each(['time limit', 'signal'])('its %s counts until its last command is applied', async (kind) => {
  // Such a leader leads on without a quorum.
  const { raft, id } = await settledCluster({ maxAppendEntries: 1, maxInflightAppends: 1, checkQuorum: false });
  let passed = 0;
  cluster.network.filter = (from, _, message) =>
    from !== id || message.kind !== 'appendEntries' || message.entries.length === 0 || passed++ < 4;
  const { signal, abort } = abortable();
  const failed = errorOf(raft.applyBatch(bytes('a', 'b', 'c'), kind === 'signal' ? { signal } : { timeoutMs: 2000 }));
  await cluster.clock.advanceUntil(() => cluster.server(id).machine.lines.includes('b'), 1000);
  cluster.network.isolate(id);
  if (kind === 'signal') abort();
  const error = await cluster.clock.resolve(failed, 2000);
  expect(error).toMatchObject({
    code: kind === 'signal' ? 'RAFT_ABORTED' : 'RAFT_TIMEOUT',
    details: { outcome: 'unknownOutcome', results: [{ response: 2 }, { response: 3 }] },
  });
});

test('a shutdown settles it', async () => {
  const { raft } = await settledCluster();
  const failed = errorOf(raft.applyBatch(bytes('a', 'b')));
  await raft.shutdown();
  expect(await failed).toMatchObject({ code: 'RAFT_SHUTDOWN', details: { outcome: 'notAppended' } });
});
