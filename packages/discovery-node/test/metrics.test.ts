import { RAFT_HISTOGRAMS, RAFT_METRICS, RAFT_PEER_METRICS } from '@discovery-raft/raft-core';
import { nodeMetrics } from '../src/metrics/node-metrics.js';
import { snake } from '../src/metrics/format-histograms.js';
import { TestCluster } from './fixtures/cluster.js';

let cluster: TestCluster;

beforeEach(async () => {
  cluster = new TestCluster(3);
  await cluster.start();
  await cluster.elected();
});
afterEach(() => cluster.stop());

/** The lines of the text, by name and labels. */
function linesOf(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

test('every counter, gauge and histogram of Raft is there, and what the consensus, the links and the store count', async () => {
  const leader = cluster.leader!;
  const text = nodeMetrics({
    node: leader,
    links: () => [
      { peer: 'ada', state: 'up' },
      { peer: 'ben', state: 'backoff for 5 ms: LINK_TIMEOUT' },
    ],
    linkCounters: () => ({ 'listener.refused.LINK_TIMEOUT': 3 }),
    storeStats: () => ({ fileBytes: 4096 }),
  });
  const lines = linesOf(await text());
  for (const [name, { kind }] of Object.entries(RAFT_METRICS)) {
    const value = lines.get(`discovery_raft_${snake(name)}${kind === 'counter' ? '_total' : ''}`);
    expect([name, Number.isFinite(value)]).toEqual([name, true]);
  }
  const other = cluster.nodes.find((node) => node !== leader)!.identity;
  for (const name of Object.keys(RAFT_PEER_METRICS)) {
    expect(lines.has(`discovery_raft_peer_${snake(name)}{peer="${other}"}`)).toBe(true);
  }
  for (const name of Object.keys(RAFT_HISTOGRAMS)) {
    const all = lines.get(`discovery_raft_${snake(name)}_bucket{le="+Inf"}`);
    expect(all).toBe(lines.get(`discovery_raft_${snake(name)}_count`));
  }
  expect(Object.fromEntries(lines)).toMatchObject({
    discovery_raft_is_leader: 1,
    'discovery_consensus_state{state="LeaderRunning"}': 1,
    'discovery_publishes_total{code="accepted"}': 0,
    'discovery_link_up{peer="ada"}': 1,
    'discovery_link_up{peer="ben"}': 0,
    'discovery_link_events_total{event="listener.refused.LINK_TIMEOUT"}': 3,
    'discovery_store{of="fileBytes"}': 4096,
    discovery_list_records: 0,
    'discovery_alarms_total{code="raftPacketsRefused"}': 0,
    'discovery_dropped_raft_packets_total{reason="downgraded"}': 0,
    [`discovery_taken_raft_packets_total{peer="${other}",signature="none"}`]: 0,
  });
  expect(lines.get(`discovery_taken_raft_packets_total{peer="${other}",signature="good"}`)).toBeGreaterThan(0);
});

test('buckets of a histogram add up, and asking twice counts nothing twice', async () => {
  const text = nodeMetrics({
    node: cluster.leader!,
    links: () => [],
    linkCounters: () => ({ x: 2 }),
    storeStats: () => ({}),
  });
  await text();
  const lines = linesOf(await text());
  expect(lines.get('discovery_link_events_total{event="x"}')).toBe(2);
  const buckets = [...lines].filter(([name]) => name.startsWith('discovery_raft_store_write_ms_bucket'));
  expect(buckets.length).toBeGreaterThan(3);
  const values = buckets.map(([, value]) => value);
  expect(values).toEqual(values.toSorted((a, b) => a - b));
  expect(values.at(-1)).toBeGreaterThan(0);
});
