// When a snapshot is due by bytes, and what of the log goes with it.
import { EntryType, type LogEntry, type RaftConfig, type SnapshotMeta, type SnapshotStore } from '../src/index.js';
import { TestCluster, type TestServer } from './support/test-cluster.js';

let cluster: TestCluster;
afterEach(() => cluster.shutdown());

describe('a snapshot that bytes make due', () => {
  test('is taken at once, and again after as many bytes', async () => {
    cluster = await TestCluster.start(1, { config: { snapshotThresholdBytes: 1000, trailingLogs: 0 } });
    const { raft, logStore } = await cluster.leader();
    const taken: number[] = [];
    raft.on('snapshotTaken', ({ meta }) => taken.push(meta.index));
    for (let i = 0; i < 25; i++) await cluster.apply('x'.repeat(68)); // 100 bytes each
    await cluster.clock.advance(1);
    expect(taken.length).toBe(2);
    expect(taken[1]! - taken[0]!).toBe(10);
    expect(logStore.firstIndex).toBe(taken[1]! + 1);
  });

  test('and fails is tried again at the next look, not with each entry', async () => {
    let attempts = 0;
    const failing = (store: SnapshotStore): SnapshotStore => ({
      list: () => store.list(),
      open: (id) => store.open(id),
      close: () => store.close(),
      create: () => {
        attempts++;
        throw new Error('no space left');
      },
    });
    cluster = await TestCluster.start(1, {
      config: { snapshotThresholdBytes: 1000, snapshotIntervalMs: 10_000 },
      wrap: (_, stores) => ({ ...stores, snapshotStore: failing(stores.snapshotStore) }),
    });
    await cluster.leader();
    for (let i = 0; i < 30; i++) await cluster.apply('x'.repeat(68));
    expect(attempts).toBe(1);
    await cluster.clock.advance(20_000);
    await cluster.apply('one more');
    expect(attempts).toBe(2);
  });
});

/** Lines `name=…` redact the line of the same name before. */
async function redactingCluster(n: number, config: Partial<RaftConfig>): Promise<TestServer> {
  cluster = await TestCluster.start(n, { config });
  for (const { machine } of cluster.up) {
    const last = new Map<string, number>();
    machine.onApply = (entry: LogEntry, context) => {
      const name = Buffer.from(entry.data).toString().split('=')[0]!;
      const old = last.get(name);
      last.set(name, entry.index);
      if (old !== undefined) context.redact(old);
    };
  }
  return cluster.leader();
}

test('one live entry at the head does not pin the tombstones behind it: they make a snapshot due', async () => {
  const config = { snapshotThreshold: 50, trailingLogs: 20, snapshotIntervalMs: 1e9, snapshotThresholdBytes: 1e9 };
  const { raft, logStore } = await redactingCluster(1, config);
  await cluster.apply('pinned=for good');
  let longest = 0;
  const taken: SnapshotMeta[] = [];
  raft.on('snapshotTaken', ({ meta }) => taken.push(meta));
  for (let i = 0; i < 3000; i++) {
    await cluster.apply(`y=${i}`);
    longest = Math.max(longest, logStore.lastIndex - logStore.firstIndex + 1);
  }
  // The text machine keeps every line, so its snapshots grow, and with them the tombstones that one is worth.
  const growing = taken.map(
    ({ size }, i) => (taken[i + 1]?.index ?? raft.lastIndex) - taken[i]!.index - size / (12 * 72),
  );
  expect(growing.every((more) => more < 60)).toBe(true);
  expect(longest).toBeLessThan(20 + 60 + taken.at(-1)!.size / (12 * 72));
  expect(taken.length).toBeGreaterThan(10);
  expect(longest).toBeLessThan(150);
});

describe('tombstones at the head of the log', () => {
  test('go with the snapshot that covers them, though they are trailing logs', async () => {
    const { raft, logStore } = await redactingCluster(1, { trailingLogs: 1000 });
    // Noops at the head are no tombstones; a snapshot without trailing logs takes them away first.
    raft.reloadConfig({ trailingLogs: 0 });
    await cluster.apply('x=0');
    await cluster.clock.resolve(raft.snapshot(), 1000);
    raft.reloadConfig({ trailingLogs: 1000 });
    const first = (await cluster.apply('y=0')).index;
    for (let i = 1; i < 10; i++) await cluster.apply(`y=${i}`);
    const keep = (await cluster.apply('z=0')).index;
    for (let i = 10; i < 15; i++) await cluster.apply(`y=${i}`);
    expect(logStore.firstIndex).toBe(first);
    const meta = await cluster.clock.resolve(raft.snapshot(), 1000);
    // y=9 was superseded by y=10: all up to z, which lives, is gone; tombstones behind it stay.
    expect(logStore.firstIndex).toBe(keep);
    const rest = logStore.read(logStore.firstIndex, logStore.lastIndex, 1 << 20);
    expect(rest.filter(({ type }) => type === EntryType.tombstone)).toHaveLength(4);
    expect(meta.index).toBe(logStore.lastIndex);
    await cluster.stop('a');
    await cluster.restart('a');
    await cluster.leader();
    await cluster.clock.advance(1000);
    expect(cluster.server('a').machine.lines.at(-1)).toBe('y=14');
  });

  test('stay at a leader as long as a peer follows by them', async () => {
    const leader = await redactingCluster(3, { trailingLogs: 1000 });
    leader.raft.reloadConfig({ trailingLogs: 0 });
    await cluster.apply('x=0');
    await cluster.converge();
    await cluster.clock.resolve(leader.raft.snapshot(), 1000);
    leader.raft.reloadConfig({ trailingLogs: 1000 });
    const away = cluster.up.find(({ id }) => id !== leader.id)!;
    await cluster.apply('y=0', leader);
    await cluster.converge();
    cluster.network.isolate(away.id);
    const needed = leader.raft.lastIndex + 1;
    for (let i = 1; i < 10; i++) await cluster.apply(`y=${i}`, leader);
    await cluster.clock.resolve(leader.raft.snapshot(), 1000);
    expect(leader.logStore.firstIndex).toBe(needed);
    let installed = 0;
    away.raft.on('snapshotInstalled', () => installed++);
    cluster.network.heal();
    await cluster.clock.advance(5000);
    expect(away.raft.lastIndex).toBe(leader.raft.lastIndex);
    expect(installed).toBe(0);
  });
});
