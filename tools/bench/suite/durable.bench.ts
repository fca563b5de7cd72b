import type { Bench, BenchContext } from '../bench.js';
import { DurableCluster } from '../durable/cluster.js';
import { hashicorp } from '../hashicorp.js';
import { median } from '../rate.js';

const NODES = 3;
const BYTES = 256;
const WARM_UP_SECONDS = 0.5;

/** Durable commits per second of three processes over TLS, and what hashicorp/raft makes over TCP with boltdb. */
function commits(inFlight: number): Bench {
  return {
    name: `durable/${BYTES}B/${inFlight}`,
    unit: 'commit/s',
    run: async (context: BenchContext) => {
      const { effort, progress } = context;
      const cluster = await DurableCluster.start(NODES);
      const rates: number[] = [];
      try {
        await cluster.load({ inFlight, bytes: BYTES, seconds: WARM_UP_SECONDS });
        for (let repeat = 0; repeat < effort.repeats; repeat++) {
          const { commits, seconds, p50Ms, p99Ms } = await cluster.load({
            inFlight,
            bytes: BYTES,
            seconds: effort.seconds,
          });
          rates.push(commits / seconds);
          progress(
            `  ours: ${Math.round(commits / seconds)} commit/s, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`,
          );
        }
      } finally {
        await cluster.stop();
      }
      const baseline = await hashicorp(
        { scenario: 'throughput', mode: 'bolt', n: NODES, size: BYTES, conc: inFlight },
        context,
      );
      const theirs = baseline === undefined ? undefined : Number(baseline['ops_per_sec']);
      return { value: median(rates), baseline: theirs };
    },
  };
}

/** The same with signed packets, beside the same without, in turn. */
function signedCommits(inFlight: number): Bench {
  return {
    name: `durable/signed/${BYTES}B/${inFlight}`,
    unit: 'commit/s',
    run: async ({ effort, progress }: BenchContext) => {
      const rates = new Map<'signed' | 'unsigned', number[]>([
        ['signed', []],
        ['unsigned', []],
      ]);
      const clusters: DurableCluster[] = [];
      try {
        for (const kind of rates.keys())
          clusters.push(await DurableCluster.start(NODES, { signed: kind === 'signed' }));
        for (const cluster of clusters) await cluster.load({ inFlight, bytes: BYTES, seconds: WARM_UP_SECONDS });
        for (let repeat = 0; repeat < effort.repeats; repeat++) {
          for (const [at, [kind, of]] of [...rates].entries()) {
            const result = await clusters[at]!.load({ inFlight, bytes: BYTES, seconds: effort.seconds });
            of.push(result.commits / result.seconds);
            const [p50, p99] = [result.p50Ms.toFixed(2), result.p99Ms.toFixed(2)];
            progress(`  ${kind}: ${Math.round(of.at(-1)!)} commit/s, p50 ${p50} ms, p99 ${p99} ms`);
          }
        }
      } finally {
        for (const cluster of clusters) await cluster.stop();
      }
      return { value: median(rates.get('signed')!), baseline: median(rates.get('unsigned')!) };
    },
  };
}

const LOADS = [1, 64, 1024];

export default [...LOADS.map(commits), ...LOADS.map(signedCommits)];
