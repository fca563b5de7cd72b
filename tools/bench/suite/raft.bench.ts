import type { Bench, BenchContext, Measurement } from '../bench.js';
import { hashicorp } from '../hashicorp.js';
import { BenchCluster, load, type Load } from '../raft-cluster.js';
import { median } from '../rate.js';

const nodes = 3;

interface Setting {
  readonly inFlight: number;
  readonly bytes: number;
}

interface Figure {
  readonly ours: (load: Load) => number;
  readonly theirs: string;
  readonly unit: string;
  /** The baseline gives microseconds where we give milliseconds. */
  readonly scale: number;
}

const commits: Figure = { ours: (l) => l.commitsPerSecond, theirs: 'ops_per_sec', unit: 'commit/s', scale: 1 };
const percentile = (p: number, theirs: string): Figure => ({
  ours: ({ latenciesMs }) => latenciesMs[Math.min(latenciesMs.length - 1, Math.floor(latenciesMs.length * p))] ?? NaN,
  theirs,
  unit: 'ms',
  scale: 1e-3,
});

async function measure({ inFlight, bytes }: Setting, figure: Figure, context: BenchContext): Promise<Measurement> {
  const { seconds, repeats } = context.effort;
  const values: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const cluster = await BenchCluster.start(nodes);
    const leader = await cluster.leader();
    await load(leader, inFlight, bytes, Math.min(0.5, seconds));
    values.push(figure.ours(await load(leader, inFlight, bytes, seconds)));
    await cluster.stop();
  }
  const result = await hashicorp(
    { scenario: 'throughput', mode: 'inmem', n: nodes, size: bytes, conc: inFlight },
    context,
  );
  const theirs = result?.[figure.theirs];
  return { value: median(values), baseline: typeof theirs === 'number' ? theirs * figure.scale : undefined };
}

function bench(name: string, setting: Setting, figure: Figure): Bench {
  return { name, unit: figure.unit, run: (context) => measure(setting, figure, context) };
}

/** Committed and applied entries per second at the leader of three nodes; beside it, hashicorp/raft in memory. */
const throughput = [1, 64, 1024, 8192].map((inFlight) =>
  bench(`raft/inmem/256B/${inFlight}`, { inFlight, bytes: 256 }, commits),
);
const sizes = [64, 1024].map((bytes) => bench(`raft/inmem/${bytes}B/1024`, { inFlight: 1024, bytes }, commits));
/** From `apply` to its result. */
const latency = [
  bench('raft/inmem/256B/64/p50', { inFlight: 64, bytes: 256 }, percentile(0.5, 'p50_us')),
  bench('raft/inmem/256B/64/p99', { inFlight: 64, bytes: 256 }, percentile(0.99, 'p99_us')),
];

export default [...throughput, ...sizes, ...latency];
