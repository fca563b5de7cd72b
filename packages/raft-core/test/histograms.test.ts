// Histograms and gauges of peers: plain numbers with units.
import { RAFT_HISTOGRAMS, RAFT_PEER_METRICS, type HistogramName } from '../src/index.js';
import { BatchTimes } from '../src/runtime/batch-times.js';
import { Histogram } from '../src/runtime/histogram.js';
import { TestCluster } from './support/test-cluster.js';

describe('a histogram', () => {
  test('counts values on and below a bound, and those beyond the last', () => {
    const histogram = new Histogram([1, 10]);
    for (const value of [0, 1, 1.5, 10, 11, 1000]) histogram.record(value);
    histogram.record(2, 3);
    expect(histogram.read()).toEqual({ bounds: [1, 10], counts: [2, 5, 2], count: 9, sum: 1029.5, max: 1000 });
  });

  test('a reading is a copy', () => {
    const histogram = new Histogram([1]);
    const before = histogram.read();
    histogram.record(1);
    expect(before.counts).toEqual([0, 0]);
  });
});

test('a batch counts with each of its entries when the last of them is committed', () => {
  const histogram = new Histogram([5, 50]);
  const times = new BatchTimes(histogram);
  times.appended(1, 3, 100);
  times.appended(4, 1, 110);
  times.committed(2, 200);
  expect(histogram.read().count).toBe(0);
  times.committed(3, 102);
  times.committed(4, 130);
  expect(histogram.read()).toMatchObject({ counts: [3, 1, 0], sum: 26 });
  times.appended(5, 2, 140);
  times.clear();
  times.committed(9, 200);
  expect(histogram.read().count).toBe(4);
});

describe('a node', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.shutdown());

  test('every histogram is there, and counts what happens', async () => {
    cluster = await TestCluster.start(3);
    const { raft } = await cluster.leader();
    await cluster.apply('first');
    await cluster.converge();
    const before = raft.histograms();
    await cluster.clock.resolve(Promise.all([1, 2, 3, 4].map((n) => raft.apply(Buffer.from(`${n}`)))), 1000);
    const after = raft.histograms();
    expect(Object.keys(after).sort()).toEqual(Object.keys(RAFT_HISTOGRAMS).sort());
    const news = (name: HistogramName, field: 'count' | 'sum'): number => after[name][field] - before[name][field];
    // A hop takes 1 ms each way.
    expect([news('commitMs', 'count'), news('commitMs', 'sum')]).toEqual([4, 8]);
    expect(news('storeWriteMs', 'count')).toBe(news('storeWriteEntries', 'count'));
    expect(news('storeWriteEntries', 'sum')).toBe(4);
    expect(news('applyEntries', 'sum')).toBeGreaterThanOrEqual(4);
    expect(after.applyMs.count).toBe(after.applyEntries.count);
    for (const { counts, count, bounds } of Object.values(after)) {
      expect(counts).toHaveLength(bounds.length + 1);
      expect(counts.reduce((sum, n) => sum + n, 0)).toBe(count);
    }
  });

  test('a leader tells of each peer; a follower of none', async () => {
    cluster = await TestCluster.start(3);
    const leader = await cluster.leader();
    await cluster.apply('first');
    await cluster.converge();
    await cluster.clock.advance(300);
    const [well, away] = cluster.up.filter(({ id }) => id !== leader.id);
    cluster.network.isolate(away!.id);
    await cluster.apply('second', leader);
    await cluster.clock.advance(400);
    const peers = leader.raft.peerMetrics();
    expect(Object.keys(peers).sort()).toEqual([well!.id, away!.id].sort());
    for (const values of Object.values(peers)) {
      expect(Object.keys(values).sort()).toEqual(Object.keys(RAFT_PEER_METRICS).sort());
    }
    const { lastIndex } = leader.raft;
    expect(peers[well!.id]).toMatchObject({
      match: lastIndex,
      next: lastIndex + 1,
      behind: 0,
      inflightBytes: 0,
      state: 1,
    });
    expect(peers[well!.id]!.rttMs).toBeCloseTo(2);
    expect(peers[well!.id]!.lastContactMs).toBeLessThan(250);
    expect(peers[away!.id]).toMatchObject({ match: lastIndex - 1, behind: 1, inflightAppends: 1, inflightBytes: 38 });
    expect(peers[away!.id]!.lastContactMs).toBeGreaterThan(350);
    expect(well!.raft.peerMetrics()).toEqual({});
  });
});
