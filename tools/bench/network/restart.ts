import { readFile } from 'node:fs/promises';
import { fromBinary } from '@bufbuild/protobuf';
import { connectOverTls, NodeClient } from '@discovery-raft/discovery-client';
import type { MadeNode } from '@discovery-raft/discovery-node';
import { DiscoveryDirectorySchema } from '@discovery-raft/protocol';
import type { Bench, BenchContext } from '../bench.js';
import { median } from '../rate.js';
import { fillStore } from './full-store.js';
import { TestNetwork, until, type RunningNode } from './test-network.js';

const ITEMS = 100_000;
/** A node verifies so many items in its first life; a quiet machine takes a minute and a half. */
const VERIFY_LIMIT_MS = 1_200_000;
const ROUND_LIMIT_MS = 120_000;
const LOOK_AFTER_MS = 20;
/** A node writes its verdicts within a second. */
const VERDICTS_WRITTEN_MS = 2000;
const DAY_SECONDS = 86_400;
/** Unit of times in `/proc` of Linux. */
const TICKS_PER_SECOND = 100;

/** What a node is restarted from. */
type Source = 'log' | 'snapshot';

/** Milliseconds. */
interface Restarts {
  /** From the start of a process that remembers nothing until it has verified all items. */
  readonly firstLife: number;
  readonly from: Readonly<Record<Source, number>>;
}

let measured: Promise<Restarts> | undefined;

/**
 * From the start of a process that has 100,000 items in its store, really signed, until it leads with all of them in its list
 * and has answered an HTTP request for the directory of its last round. It verified them in an earlier life. Once all items are
 * in its log, as after a burst of publishes; once they are in a snapshot. Beside it, that earlier life.
 */
export const restarts: readonly Bench[] = (['log', 'snapshot'] as const).map((source) => ({
  name: source === 'log' ? `node/restart/${ITEMS}` : `node/restart/${ITEMS}/snapshot`,
  unit: 'ms',
  run: async (context) => {
    measured ??= measure(context);
    const { firstLife, from } = await measured;
    return { value: from[source], baseline: firstLife };
  },
}));

async function measure({ effort, progress }: BenchContext): Promise<Restarts> {
  const network = await TestNetwork.create(1, slotsOfADay(), true);
  try {
    const made = network.made.nodes[0]!;
    const newest = await fillStore(network.made, ITEMS, (done) => {
      if (done % 25_000 === 0) progress(`  ${done} items are stored`);
    });
    const firstLife = await liveOnce(network);
    progress(`  verified all in ${Math.round(firstLife)} ms, and stored a directory`);
    const samples = async (source: Source): Promise<number> => {
      const taken: number[] = [];
      for (let repeat = 0; repeat < effort.repeats; repeat++) {
        const { milliseconds, cpuSeconds } = await restart(network, made, newest);
        progress(`  restarted from a ${source} in ${Math.round(milliseconds)} ms, ${cpuSeconds.toFixed(2)} s of CPU`);
        taken.push(milliseconds);
      }
      return median(taken);
    };
    const log = await samples('log');
    await takeSnapshot(network);
    return { firstLife, from: { log, snapshot: await samples('snapshot') } };
  } finally {
    await network.stop();
  }
}

/**
 * A slot that has begun half an hour ago: all certificates of this benchmark hold at its beginning, and no other begins while it
 * runs.
 */
function slotsOfADay(): Readonly<Record<string, unknown>> {
  const genesisSeconds = Math.floor(Date.now() / 1000) - DAY_SECONDS - 1800;
  return { standalone: true, slotSeconds: DAY_SECONDS, genesisSeconds, maxLifetimeSeconds: 2 * DAY_SECONDS };
}

/** A life in which everything is verified and a round is held. @returns milliseconds until all was verified */
async function liveOnce(network: TestNetwork): Promise<number> {
  const began = performance.now();
  const node = await network.start(network.made.nodes[0]!);
  await until(
    'everything to be verified',
    async () => {
      await pause(500);
      const { list, consensus } = await node.admin.call('status', {});
      const { pendingRecords, pendingVerifications } = consensus.counters;
      return list.records === ITEMS && pendingRecords + pendingVerifications === 0 ? true : undefined;
    },
    VERIFY_LIMIT_MS,
  );
  const tookMs = performance.now() - began;
  const { ended } = await node.admin.call('round', { begin: true, wait: true, timeoutMs: ROUND_LIMIT_MS });
  if (ended?.published !== true || ended.items !== ITEMS) throw new Error(`no directory of all: ${ended?.reason}`);
  await pause(VERDICTS_WRITTEN_MS);
  await node.kill();
  return tookMs;
}

async function takeSnapshot(network: TestNetwork): Promise<void> {
  const node = await network.start(network.made.nodes[0]!);
  await until('all to be applied', async () => ((await leadsWithAll(node)) ? true : undefined));
  await node.admin.call('snapshot', {});
  await node.kill();
}

/** Starts a process, and kills it once it serves. What it serves is looked at when the clock stands. */
async function restart(
  network: TestNetwork,
  made: MadeNode,
  newest: string,
): Promise<{ milliseconds: number; cpuSeconds: number }> {
  const began = performance.now();
  const node = await network.start(made);
  const hasNewest = async (): Promise<true | undefined> => {
    const { items } = await node.admin.call('list', { identity: newest });
    return items.length > 0 ? true : undefined;
  };
  // It answers while it applies its log, so each look is work that it would not have otherwise.
  await until('the newest item', hasNewest, ROUND_LIMIT_MS, LOOK_AFTER_MS);
  const response = await fetch(`http://${made.host}:${made.httpPort}/directory`, {
    headers: { 'accept-encoding': 'identity' },
  });
  const body = new Uint8Array(await response.arrayBuffer());
  const milliseconds = performance.now() - began;
  const cpuSeconds = await cpuSecondsOf(node);
  if (response.status !== 200) throw new Error(`HTTP ${response.status}`);
  if (!(await leadsWithAll(node))) throw new Error('the node does not lead with all items and a directory of them');
  await comparePull(made, body);
  await node.kill();
  return { milliseconds, cpuSeconds };
}

/** User and system time of a process since it was started, where the system tells: what a busy machine does not stretch much. */
async function cpuSecondsOf({ admin }: RunningNode): Promise<number> {
  const { process } = await admin.call('status', {});
  const stat = await readFile(`/proc/${process.pid}/stat`, 'utf8').catch(() => '');
  const [, user, system] = /\) (?:\S+ ){11}(\d+) (\d+) /.exec(stat) ?? [];
  return (Number(user) + Number(system)) / TICKS_PER_SECOND;
}

async function leadsWithAll({ admin }: RunningNode): Promise<boolean> {
  const { raft, list, directory } = await admin.call('status', {});
  return raft.state === 'leader' && list.records === ITEMS && directory?.items === ITEMS;
}

/** Fails unless a client pulls over PSP what HTTP gave. */
async function comparePull({ host, port }: MadeNode, overHttp: Uint8Array): Promise<void> {
  const connected = await connectOverTls()({ host, port }, { signal: new AbortController().signal });
  const client = new NodeClient(connected.channel, { version: 'xpx-discovery-1.0' });
  try {
    const { directory } = await client.pull();
    const { directory: listing } = fromBinary(DiscoveryDirectorySchema, overHttp);
    if (!Buffer.from(directory).equals(listing)) throw new Error('HTTP and PSP serve different directories');
  } finally {
    client.close();
    connected.close();
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
