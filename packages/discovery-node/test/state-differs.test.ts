import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exitCodeOf } from '../src/cli/exit-codes.js';
import { readiness } from '../src/daemon/readiness.js';
import { divergedError, markDiverged, refuseDiverged } from '../src/daemon/state-mark.js';
import { nodeMetrics } from '../src/metrics/node-metrics.js';
import { SLOT_SECONDS, TestCluster } from './fixtures/cluster.js';
import { newFolder, removeFolders } from './fixtures/folder.js';
import { NOON } from './fixtures/people.js';

let cluster: TestCluster;

beforeEach(async () => {
  cluster = new TestCluster(3);
  await cluster.start();
});
afterEach(() => cluster.stop());
afterAll(removeFolders);

test('nodes that hold the same show the same digest', async () => {
  await cluster.elected();
  expect(cluster.nodes[0]!.status().state).toBeNull();
  await cluster.round(NOON);
  const [first, ...others] = cluster.nodes.map((node) => node.status().state!);
  expect(first!.digest).toMatch(/^[0-9a-f]{64}$/);
  for (const state of others) expect(state).toEqual(first);
  const noNumbers = { links: () => [], linkCounters: () => ({}), storeStats: () => ({}) };
  const text = await nodeMetrics({ node: cluster.nodes[0]!, ...noNumbers })();
  const { digest, index } = cluster.nodes[0]!.status().state!;
  expect(text).toContain(`discovery_state_log_index{digest="${digest}"} ${index}`);
});

test('a node whose state was changed stops itself and Raft, is not ready, and the others go on', async () => {
  const leader = await cluster.elected();
  const broken = cluster.nodes.find((node) => node !== leader)!;
  const told: unknown[] = [];
  broken.consensus.on('stateDiverged', (divergence) => told.push(divergence));
  // As if an entry of its log had been another one.
  broken.list.applyTombstone({ index: broken.list.appliedIndex, term: 1, type: 16, data: new Uint8Array(32) });
  cluster.day.jumpTo(NOON);
  await cluster.until(() => broken.consensus.divergence !== null && broken.raft.state === 'shutdown');
  const { own, others } = broken.consensus.divergence!;
  expect(told).toHaveLength(1);
  expect(others).toHaveLength(2);
  expect(own).not.toEqual(others[0]!.digest);
  await expect(readiness(broken, false)).resolves.toContain('its state is not what the other nodes have');
  const healthy = cluster.nodes.filter((node) => node !== broken);
  for (const { consensus } of healthy) {
    expect(consensus.divergence).toBeNull();
    expect(consensus.counters.alarms.stateDiffers).toBe(1);
  }
  cluster.nodes = healthy;
  await cluster.round(NOON + SLOT_SECONDS);
  await broken.stop();
});

test('the data directory says both digests, and no start succeeds until a person has looked', async () => {
  const folder = newFolder();
  await expect(refuseDiverged(folder)).resolves.toBeUndefined();
  const others = [{ from: 'd2', digest: new Uint8Array(32).fill(0xbb) }];
  const divergence = { round: 7, index: 123, own: new Uint8Array(32).fill(0xaa), others };
  const error = divergedError(divergence);
  expect(error.message).toContain(`at log index 123 the state is ${'aa'.repeat(32)} here, ${'bb'.repeat(32)} at d2`);
  expect(exitCodeOf(error)).toBe(7);
  await markDiverged(folder, divergence);
  expect(JSON.parse(await readFile(join(folder, 'state-differs.json'), 'utf8'))).toMatchObject({
    logIndex: 123,
    ownDigest: 'aa'.repeat(32),
    otherDigests: { d2: 'bb'.repeat(32) },
  });
  await expect(refuseDiverged(folder)).rejects.toMatchObject({ code: 'NODE_STATE_DIVERGED' });
});
