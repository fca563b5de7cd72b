import { BenchCluster, load } from './raft-cluster.js';

// One load in a process of its own, for flags of the engine: node FLAGS load-child.js BYTES IN_FLIGHT SECONDS
const [bytes = 256, inFlight = 64, seconds = 1] = process.argv.slice(2).map(Number);
const cluster = await BenchCluster.start(3);
const leader = await cluster.leader();
await load(leader, inFlight, bytes, Math.min(0.5, seconds));
const { commitsPerSecond, latenciesMs } = await load(leader, inFlight, bytes, seconds);
const p99Ms = latenciesMs[Math.floor((latenciesMs.length - 1) * 0.99)] ?? NaN;
await cluster.stop();
process.stdout.write(`${JSON.stringify({ commitsPerSecond, p99Ms })}\n`);
