import type { PublisherKeys } from '../../src/keys/publisher-file.js';
import { until, type RealNode } from '../support/real-network.js';
import { listOf, SLOT_SECONDS } from './support/chaos-network.js';
import { metric } from './support/metric.js';
import { LIMIT_MS, storyNetwork } from './support/story-network.js';

const network = storyNetwork({ nodes: 3, settings: { raft: { trailingLogs: 64 } } });

/** A slot of churn: old items are published anew, new ones come, and some of them last for less than two slots. */
async function churn(nodes: readonly RealNode[], regulars: readonly PublisherKeys[]): Promise<void> {
  const made = nodes.map((node) => node.made);
  const { publishers } = network();
  const renewed = regulars.map((who, i) => publishers.publish(made[i % made.length]!, who));
  expect(await Promise.all(renewed)).toEqual(regulars.map(() => 'accepted'));
  expect(await publishers.publishMany(8, made)).toBe(8);
  expect(await publishers.publishMany(8, made, SLOT_SECONDS * 1.5)).toBe(8);
  await network().round(nodes);
}

test(
  'a follower that is down for a slot of churn catches up through a log with redacted entries',
  async () => {
    const regulars = Array.from({ length: 10 }, () => network().publishers.create());
    await churn(network().nodes, regulars);
    const { others } = await network().leader();
    const [down] = others;
    await network().kill(down!);
    await churn(network().nodes, regulars);
    const [back] = await network().restart([down!.made]);
    await network().calm();
    expect(await metric(back!, 'raft_snapshots_installed_total')).toBe(0);
  },
  LIMIT_MS,
);

test(
  'a follower that is down for an hour of churn, while the log is cut off, is sent a snapshot',
  async () => {
    const regulars = Array.from({ length: 10 }, () => network().publishers.create());
    const { others } = await network().leader();
    const [down] = others;
    await network().kill(down!);
    const left = network().nodes;
    const began = network().now;
    while (network().now < began + 3600) await churn(left, regulars);
    const short = await listOf(left[0]!);
    for (const { admin } of left) await admin.call('snapshot', {});
    // Those that go on write more while the snapshot is sent.
    network().publishers.keepPublishing(left.map(({ made }) => made));
    const [back] = await network().restart([down!.made]);
    await until('a snapshot to be installed', async () => {
      return (await metric(back!, 'raft_snapshots_installed_total')) === 1;
    });
    await network().publishers.rest();
    await network().calm();
    const valid = short.filter(({ expiration }) => expiration > network().now);
    expect(valid.length).toBeLessThan(short.length);
  },
  LIMIT_MS,
);
