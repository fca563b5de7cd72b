import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { MadeNode } from '../../src/index.js';
import { rotateKeys } from '../../src/keys/key-folder.js';
import { until, untilStatus, type RealNode } from '../support/real-network.js';
import { SLOT_SECONDS } from './support/chaos-network.js';
import { metric } from './support/metric.js';
import { LIMIT_MS, storyNetwork } from './support/story-network.js';

const TEN_MINUTES = 600;
/** What `ulimit -f` counts in. */
const BLOCK_BYTES = 512;
const ROOM_BYTES = 160_000;

const network = storyNetwork({ nodes: 3 });

/** Has a node lead. */
async function haveLead(wanted: RealNode): Promise<void> {
  await until(`${wanted.made.name} to lead`, async () => {
    const { leader } = await network().leader();
    if (leader === wanted) return true;
    await leader.admin.call('transfer', { target: wanted.made.identity }).catch(() => undefined);
    return false;
  });
}

/** Of the largest file of a node. */
function largestFileBytes({ folder }: MadeNode): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Math.max(...files.map(({ parentPath, name }) => statSync(join(parentPath, name)).size));
}

function allLinked({ links }: { readonly links: readonly { readonly state: string }[] }): boolean {
  return links.every(({ state }) => state === 'up');
}

test(
  'the disk of the leader is full: it says so and ends with 6, the others go on, and with room it comes back',
  async () => {
    const { publishers } = network();
    const [{ made }] = network().nodes as [RealNode];
    const others = network().nodes.slice(1);
    await network().kill(network().nodes[0]!);
    const blocks = Math.ceil((largestFileBytes(made) + ROOM_BYTES) / BLOCK_BYTES);
    const shell = ['sh', '-c', 'ulimit -f "$0" && exec "$@"', String(blocks), process.execPath];
    const [small] = await network().restart([made], [], shell);
    await haveLead(small!);
    let ended = false;
    void small!.exited.then(() => {
      ended = true;
    });
    const all = network().real.made.nodes;
    await until('the disk to be full', async () => {
      await publishers.publishMany(30, all);
      return ended;
    });
    expect(await small!.exited).toEqual({ code: 6, signal: null });
    network().gone(small!);
    const log = network().real.logOf(made);
    expect(log).toContain('Raft has failed, and the node stops');
    expect(log).toContain('free space on the disk');
    await publishers.publishOne(others.map((node) => node.made));
    await network().round(others);
    await network().restart([made]);
    await network().calm();
  },
  LIMIT_MS,
);

test(
  'a link certificate that has expired: its links are refused for that reason and counted, until `keys rotate`',
  async () => {
    const { publishers } = network();
    const [old] = network().nodes as [RealNode];
    const others = network().nodes.slice(1);
    const { made } = old;
    await network().kill(old);
    const dates = { notBefore: Math.floor(network().now) - 60, notAfter: Math.floor(network().now) + SLOT_SECONDS };
    await rotateKeys(join(made.folder, 'keys'), { ...dates, rsaBits: 2048 });
    const [expiring] = await network().restart([made]);
    await untilStatus('its links', expiring!, allLinked);
    await network().calm();

    // Links that stand do; once it has to make new ones, nobody takes it.
    await network().jump(dates.notAfter + TEN_MINUTES);
    await network().kill(expiring!);
    const [expired] = await network().restart([made]);
    expect(network().real.logOf(made)).toContain('a link certificate expired at');
    for (const node of others) {
      await until(`${node.made.name} to refuse it`, async () => {
        return (await metric(node, 'link_events_total', /LINK_CERTIFICATE_EXPIRED/)) > 0;
      });
    }
    for (const { admin } of others) {
      const { links } = await admin.call('status', {});
      expect(links.find(({ peer }) => peer === made.identity)!.state).not.toBe('up');
    }
    await publishers.publishOne(others.map((node) => node.made));
    expect((await network().round(others))!.signatures).toBe(2);

    await network().kill(expired!);
    const rotate = ['keys', 'rotate', '--rsa-bits', '2048', '--config', made.configFile];
    expect(await network().real.run(rotate)).toMatchObject({ code: 0 });
    const [renewed] = await network().restart([made]);
    await untilStatus('links to come back', renewed!, allLinked);
    await network().calm();
    await until('all three to sign', async () => (await network().round())!.signatures === 3);
  },
  LIMIT_MS,
);

test(
  'the clock of one node is ten minutes ahead: the others refuse its rounds as skewed and, led by one of them, go on without it',
  async () => {
    const { publishers, watch } = network();
    const [ahead] = network().nodes as [RealNode];
    const others = network().nodes.slice(1);
    await haveLead(ahead);
    const before = (await network().round())!.round;
    // What is the middle of a slot for the others is the begin of the next one for it.
    network().putAhead(ahead, TEN_MINUTES);
    await network().jump((network().slot + 0.5) * SLOT_SECONDS);
    await untilStatus('its round to fail', ahead, ({ rounds: { last } }) => last?.round === network().slot + 1);
    for (const node of others) expect(await metric(node, 'alarms_total', /"clockSkew"/)).toBe(1);
    expect(watch.rounds.at(-1)).toBe(before);
    expect(
      network()
        .real.logOf(ahead.made)
        .match(/: no clockSkew/g)!.length,
    ).toBeGreaterThanOrEqual(others.length);

    await haveLead(others[0]!);
    await publishers.publishOne(others.map(({ made }) => made));
    expect((await network().round(others))!.signatures).toBe(2);
    // Set right, it takes part again.
    await network().kill(ahead);
    network().putAhead(ahead, 0);
    await network().restart([ahead.made]);
    await network().calm();
  },
  LIMIT_MS,
);
