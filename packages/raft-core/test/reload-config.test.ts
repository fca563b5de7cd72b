// What may be changed while a node runs, and that it counts at once.
import { DEFAULT_RAFT_CONFIG, type RaftError, RELOADABLE_OPTIONS } from '../src/index.js';
import { TestCluster, type TestServer } from './support/test-cluster.js';

let cluster: TestCluster;
afterEach(() => cluster.shutdown());

async function settledCluster(config = {}, n = 3): Promise<TestServer> {
  cluster = await TestCluster.start(n, { config });
  await cluster.apply('first');
  await cluster.converge();
  return cluster.leader();
}

function refusal(call: () => void): RaftError {
  try {
    call();
  } catch (error) {
    return error as RaftError;
  }
  throw new Error('it was accepted');
}

const FIXED = Object.keys(DEFAULT_RAFT_CONFIG).filter(
  (name) => !(RELOADABLE_OPTIONS as readonly string[]).includes(name),
);

test.each(FIXED)('%s cannot be changed', async (name) => {
  const { raft } = await settledCluster({}, 1);
  const value = DEFAULT_RAFT_CONFIG[name as keyof typeof DEFAULT_RAFT_CONFIG];
  expect(refusal(() => raft.reloadConfig({ [name]: value }))).toMatchObject({
    code: 'RAFT_INVALID_OPTION',
    details: { option: name },
  });
});

test('values are checked as at the start, against the others too; a refused change changes nothing', async () => {
  const { raft } = await settledCluster({ snapshotIntervalMs: 1000, snapshotThreshold: 5 });
  const wrong = [
    { heartbeatTimeoutMs: 2000 }, // above electionTimeoutMs
    { heartbeatTimeoutMs: 400, electionTimeoutMs: 400 }, // below leaderLeaseTimeoutMs
    { trailingLogs: -1 },
    { snapshotThreshold: 0.5 },
    { snapshotThreshold: 100, noSuchOption: 1 },
  ];
  for (const changes of wrong) expect(refusal(() => raft.reloadConfig(changes)).code).toBe('RAFT_INVALID_OPTION');
  for (let i = 0; i < 5; i++) await cluster.apply(`${i}`);
  await cluster.clock.advance(2500);
  expect(raft.stats().lastSnapshotIndex).toBeGreaterThan(0);
});

test('a shorter heartbeat timeout makes a leader send sooner, and followers miss it sooner', async () => {
  const leader = await settledCluster({ heartbeatTimeoutMs: 10_000, electionTimeoutMs: 10_000 });
  const changes = { heartbeatTimeoutMs: 500, electionTimeoutMs: 500 };
  for (const { raft } of cluster.up) raft.reloadConfig(changes);
  const before = cluster.network.delivered.length;
  await cluster.clock.advance(1000);
  const heartbeats = cluster.network.delivered
    .slice(before)
    .filter(({ message }) => message.kind === 'appendEntries' && message.entries.length === 0);
  expect(heartbeats.length).toBeGreaterThan(15);
  expect(leader.raft.state).toBe('leader');
  await cluster.stop(leader.id);
  const took = await cluster.clock.advanceUntil(() => cluster.up.some(({ raft }) => raft.state === 'leader'), 20_000);
  expect(took).toBeLessThan(3000);
});

test('a longer heartbeat timeout lets followers wait longer', async () => {
  const leader = await settledCluster();
  for (const { raft } of cluster.up) raft.reloadConfig({ heartbeatTimeoutMs: 20_000, electionTimeoutMs: 20_000 });
  await cluster.stop(leader.id);
  await cluster.clock.advance(19_000);
  expect(cluster.up.map(({ raft }) => raft.state)).toEqual(['follower', 'follower']);
  expect(cluster.up[0]!.raft.term).toBe(cluster.up[1]!.raft.term);
  await cluster.leader(80_000);
});

test('snapshots are looked for by the new interval, threshold and trailing logs', async () => {
  const { raft, logStore } = await settledCluster({}, 1);
  for (let i = 0; i < 20; i++) await cluster.apply(`${i}`);
  raft.reloadConfig({ snapshotIntervalMs: 100, snapshotThreshold: 10, trailingLogs: 3 });
  await cluster.clock.advance(250);
  const { lastSnapshotIndex } = raft.stats();
  expect(lastSnapshotIndex).toBe(raft.lastIndex);
  expect(logStore.firstIndex).toBe(lastSnapshotIndex - 3 + 1);
});

test('a stopped node takes no harm', async () => {
  const { raft } = await settledCluster({}, 1);
  await raft.shutdown();
  raft.reloadConfig({ snapshotIntervalMs: 10, snapshotThreshold: 1 });
  await cluster.clock.advance(1000);
  expect(raft.stats().lastSnapshotIndex).toBe(0);
});
