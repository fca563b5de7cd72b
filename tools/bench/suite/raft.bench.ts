import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Bench, BenchContext, Measurement } from '../bench.js';
import { hashicorp, type HashicorpResult } from '../hashicorp.js';
import { BenchCluster, load, type Medium } from '../raft-cluster.js';
import { median } from '../rate.js';

const nodes = 3;

interface Setting {
  readonly medium: Medium;
  readonly bytes: number;
  readonly inFlight: number;
}

/** What one setting is measured for. The baseline gives microseconds where we give milliseconds. */
const FIGURES = {
  commits: { suffix: '', unit: 'commit/s', theirs: 'ops_per_sec', scale: 1 },
  p50: { suffix: '/p50', unit: 'ms', theirs: 'p50_us', scale: 1e-3 },
  p99: { suffix: '/p99', unit: 'ms', theirs: 'p99_us', scale: 1e-3 },
} as const;

type FigureName = keyof typeof FIGURES;

interface Found {
  readonly ours: Readonly<Record<FigureName, number>>;
  readonly theirs: HashicorpResult | undefined;
}

/** Every figure of a setting comes from the same runs; those of the baseline follow at once. */
async function measure({ medium, bytes, inFlight }: Setting, context: BenchContext): Promise<Found> {
  const { seconds, repeats } = context.effort;
  const found: Record<FigureName, number[]> = { commits: [], p50: [], p99: [] };
  for (let i = 0; i < repeats; i++) {
    const cluster = await BenchCluster.start(nodes, {}, medium);
    const leader = await cluster.leader();
    await load(leader, inFlight, bytes, Math.min(0.5, seconds));
    const { commitsPerSecond, latenciesMs } = await load(leader, inFlight, bytes, seconds);
    const percentile = (p: number): number => latenciesMs[Math.floor((latenciesMs.length - 1) * p)] ?? NaN;
    found.commits.push(commitsPerSecond);
    found.p50.push(percentile(0.5));
    found.p99.push(percentile(0.99));
    await cluster.stop();
  }
  const theirs = await hashicorp(
    { scenario: 'throughput', mode: medium, n: nodes, size: bytes, conc: inFlight },
    context,
  );
  const { commits, p50, p99 } = found;
  return { ours: { commits: median(commits), p50: median(p50), p99: median(p99) }, theirs };
}

/** The benchmarks of one setting: they run it once, and each tells one figure of it. */
function benches(setting: Setting): Bench[] {
  let runs: Promise<Found> | null = null;
  const tell = async (name: FigureName, context: BenchContext): Promise<Measurement> => {
    const { ours, theirs } = await (runs ??= measure(setting, context));
    const baseline = theirs?.[FIGURES[name].theirs];
    return {
      value: ours[name],
      baseline: typeof baseline === 'number' ? baseline * FIGURES[name].scale : undefined,
    };
  };
  const { medium, bytes, inFlight } = setting;
  return (Object.keys(FIGURES) as FigureName[]).map((name) => ({
    name: `raft/${medium}/${bytes}B/${inFlight}${FIGURES[name].suffix}`,
    unit: FIGURES[name].unit,
    // The goals are set for 256 B in memory; the rest of the matrix is for who asks for it.
    onlyInFull: medium === 'inmem' && bytes !== 256 && inFlight !== 1024,
    run: (context) => tell(name, context),
  }));
}

/** Committed and applied entries per second at the leader of three nodes, and from `apply` to its result. */
const inMemory = [64, 256, 1024].flatMap((bytes) =>
  [1, 64, 1024, 8192].flatMap((inFlight) => benches({ medium: 'inmem', bytes, inFlight })),
);
/** The same over TCP on loopback: raft.v1 beside the baseline's msgpack. */
const overTcp = [1, 64, 1024].flatMap((inFlight) => benches({ medium: 'tcp', bytes: 256, inFlight }));

/** MiB of the young generation in {@link tuned}; Node's default is 16. */
const semiSpaceMiB = 32;

/**
 * The p99 at 64 in flight once more, in processes that run with a larger young generation (`--max-semi-space-size`): tuned,
 * where every other figure is of Node as it is. Objects that live as long as a commit takes then seldom outlive a scavenge.
 */
const tuned: Bench = {
  name: `raft/inmem/256B/64/p99/semi-space-${semiSpaceMiB}`,
  unit: 'ms',
  run: async (context) => {
    const { seconds, repeats } = context.effort;
    const child = fileURLToPath(new URL('../load-child.js', import.meta.url));
    const values: number[] = [];
    for (let i = 0; i < repeats; i++) {
      const flags = [`--max-semi-space-size=${semiSpaceMiB}`, child, '256', '64', `${seconds}`];
      const { stdout } = await promisify(execFile)(process.execPath, flags);
      values.push((JSON.parse(stdout) as { p99Ms: number }).p99Ms);
    }
    const theirs = await hashicorp({ scenario: 'throughput', mode: 'inmem', n: nodes, size: 256, conc: 64 }, context);
    const p99 = theirs?.['p99_us'];
    return { value: median(values), baseline: typeof p99 === 'number' ? p99 * 1e-3 : undefined };
  },
};

export default [...inMemory, ...overTcp, tuned];
