import { availableParallelism } from 'node:os';
import { connectOverTls, NodeClient } from '@discovery-raft/discovery-client';
import { ed25519Library } from '@discovery-raft/psp-pki';
import type { Bench, BenchContext } from '../bench.js';
import { PublishLoad } from '../network/publish-load.js';
import { rawVerifications, type VerificationRate, type Verifier } from '../network/raw-verifications.js';
import { inHours, Relay } from '../network/relays.js';
import { median } from '../rate.js';
import { restarts } from '../network/restart.js';
import { TestNetwork, until, type RunningNode } from '../network/test-network.js';

const CONNECTIONS = 4;
const CONCURRENT = 256;
const FIRST_PUBLISHES = 2000;
/** The first ones warm the engine up; the median is what counts. */
const REFRESH_ROUNDS = 11;
const SPREAD_SAMPLES = 200;
const VERSION = 'xpx-discovery-1.0';
/** Nothing of a round is to disturb what is measured here. */
const CONSENSUS = { slotSeconds: 86_400, ownEntryGraceSeconds: 3600, maxLifetimeSeconds: 172_800, confirmSeconds: 120 };

/** What publishing to one node came to, and how fast this machine verifies signatures by Node's crypto and as the node does. */
interface Intake {
  readonly publishes: VerificationRate;
  readonly raw: Readonly<Record<Verifier, VerificationRate>>;
}

type Kind = 'first' | 'refresh';

const measured = new Map<Kind, Promise<Intake>>();

/** Measured once for the benchmarks of a kind. */
function intake(kind: Kind, context: BenchContext): Promise<Intake> {
  const known = measured.get(kind) ?? measureIntake(kind, context);
  measured.set(kind, known);
  return known;
}

async function measureIntake(kind: Kind, { effort, progress }: BenchContext): Promise<Intake> {
  const nodes = await rawVerifications('node:crypto', availableParallelism(), effort.seconds);
  const libsodiums = await rawVerifications(ed25519Library(), availableParallelism(), effort.seconds);
  const raw = { 'node:crypto': nodes, libsodium: libsodiums };
  const network = await TestNetwork.create(1, { ...CONSENSUS, standalone: true });
  let load: PublishLoad | undefined;
  try {
    const { leader } = await network.startAll();
    const { root, authorities } = network.made;
    const relays = Array.from({ length: FIRST_PUBLISHES }, (_, i) => new Relay(String(i), root, authorities));
    const expiration = inHours(20);
    load = await PublishLoad.connect(leader, CONNECTIONS, CONCURRENT);
    const results: VerificationRate[] = [];
    for (let round = 0; round <= (kind === 'first' ? 0 : REFRESH_ROUNDS); round++) {
      const packets = relays.map((relay) => relay.packet(expiration + round));
      const before = await cpuSeconds(leader);
      const { seconds, cpuSeconds: ofLoad } = await load.publish(packets);
      const used = (await cpuSeconds(leader)) - before;
      const microseconds = (spent: number): number => Math.round((spent * 1e6) / packets.length);
      results.push({ perSecond: packets.length / seconds, perCpuSecond: packets.length / used });
      const what = round === 0 ? 'first' : 'refresh';
      progress(
        `  ${what}: ${Math.round(packets.length / seconds)} publish/s, each ${microseconds(used)} us of the node`,
      );
      progress(`    and ${microseconds(ofLoad)} us of the load generator`);
    }
    const counted = kind === 'first' ? results : results.slice(1);
    const middle = (of: (rate: VerificationRate) => number): number => median(counted.map(of));
    const publishes = { perSecond: middle((r) => r.perSecond), perCpuSecond: middle((r) => r.perCpuSecond) };
    return { publishes, raw };
  } finally {
    load?.close();
    await network.stop();
  }
}

/** User and system time of a node's process so far, all its threads. */
async function cpuSeconds({ admin }: RunningNode): Promise<number> {
  const { text } = await admin.call('metrics', {});
  return Number(/^process_cpu_seconds_total (\S+)$/m.exec(text)?.[1]);
}

/**
 * Publishes that one node accepts over TLS, all checks made, attested, and durable in its log. `first`: who is not known,
 * with a chain of five signatures; `refresh`: a newer item of one that is, with one. Beside it, Ed25519 verifications.
 *
 * By the clock: the node and the load generator share the cores that the verifications have for themselves. By CPU time:
 * what the node's process used, of which nothing is the load generator's. The verifications beside it are those of Node's crypto;
 * in the line that says so, those of the library that the node itself uses.
 */
function publishes(kind: Kind): readonly Bench[] {
  const bench = (name: string, unit: string, of: (rate: VerificationRate) => number, verifier: Verifier): Bench => ({
    name: `node/publish/${kind}${name}`,
    unit,
    run: async (context) => {
      const { publishes: ours, raw } = await intake(kind, context);
      return { value: of(ours), baseline: of(raw[verifier]) };
    },
  });
  return [
    bench('', 'publish/s', ({ perSecond }) => perSecond, 'node:crypto'),
    bench('/cpu', 'publish/CPU-s', ({ perCpuSecond }) => perCpuSecond, 'node:crypto'),
    bench('/cpu/libsodium', 'publish/CPU-s', ({ perCpuSecond }) => perCpuSecond, 'libsodium'),
  ];
}

/** From a publish at a follower until the list of every one of three nodes has the item. */
function spread(percentile: 50 | 99): Bench {
  return {
    name: `node/publish-to-lists/p${percentile}`,
    unit: 'ms',
    run: async () => {
      const network = await TestNetwork.create(3, CONSENSUS);
      try {
        const { leader, others } = await network.startAll();
        const { channel } = await connectOverTls()(others[0]!.made, { signal: new AbortController().signal });
        const client = new NodeClient(channel, { version: VERSION, timeoutMs: 120_000 });
        const { root, authorities } = network.made;
        const expiration = inHours(20);
        const samples: number[] = [];
        for (let i = 0; i < SPREAD_SAMPLES; i++) {
          const relay = new Relay(`spread ${i}`, root, authorities);
          const packet = relay.packet(expiration);
          const began = performance.now();
          const published = client.publish(packet);
          await Promise.all([leader, ...others].map((node) => listed(node, relay.identity)));
          samples.push(performance.now() - began);
          const { code } = await published;
          if (code !== 'accepted') throw new Error(`a publish was refused: ${code}`);
        }
        client.close();
        samples.sort((a, b) => a - b);
        return { value: samples[Math.floor((samples.length * percentile) / 100)]! };
      } finally {
        await network.stop();
      }
    },
  };
}

async function listed({ admin }: RunningNode, identity: string): Promise<true> {
  return until('the item to be listed', async () => {
    const { items } = await admin.call('list', { identity });
    return items.length > 0 ? true : undefined;
  });
}

export default [...publishes('first'), ...publishes('refresh'), spread(50), spread(99), ...restarts];
