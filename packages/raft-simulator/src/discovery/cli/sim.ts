import { Progress } from '../../cli/progress.js';
import { simulateDiscovery, type DiscoveryCounts, type DiscoveryResult } from '../simulation.js';
import { parseDiscoveryArguments, USAGE, type DiscoverySimArguments } from './arguments.js';

const EXIT = { ok: 0, usage: 2, safety: 10, liveness: 11 } as const;

/** Lines of a failing seed's trace that are printed without being asked for. */
const LAST_LINES = 60;

async function main(): Promise<number> {
  const args = parseDiscoveryArguments(process.argv.slice(2));
  if (typeof args === 'string') {
    process.stderr.write(`${args}\n\n${USAGE}`);
    return EXIT.usage;
  }
  // Errors are everyday results here; their stacks cost time and say nothing.
  Error.stackTraceLimit = 0;
  return args.trace === null ? runSeeds(args) : printTrace(args.trace, args);
}

async function runSeeds(args: DiscoverySimArguments): Promise<number> {
  const progress = new Progress(args.seeds, process.stderr);
  const violations: DiscoveryResult[] = [];
  const total: Record<string, number> = {};
  let done = 0;
  let events = 0;
  while (done < args.seeds) {
    const result = await simulateDiscovery(args.start + done, { policy: args.policy });
    done++;
    events += result.traceEvents;
    add(total, result.counts);
    if (result.violation !== null) violations.push(result);
    progress.show(done, violations.length > 0 ? `${violations.length} violations` : '');
    if (result.violation !== null && !args.keepGoing) break;
  }
  progress.end();
  const seedsPerSecond = Number(progress.rate(done).toFixed(2));
  if (args.json) {
    const found = violations.map(({ seed, traceHash, violation }) => ({ seed, traceHash, ...violation }));
    const { policy, start } = args;
    const summary = { seeds: done, start, policy, seedsPerSecond, events, ...total, violations: found };
    process.stdout.write(`${JSON.stringify(summary)}\n`);
  } else {
    const counts = Object.entries(total).map(([name, count]) => `${count} ${name}`);
    process.stdout.write(
      `${done} seeds from ${args.start} on, policy ${args.policy}, ${seedsPerSecond} seeds/s, ${events} events, ` +
        `${violations.length} violations\n${counts.join(', ')}\n`,
    );
    for (const result of violations) await explain(result, args);
  }
  return exitCode(violations);
}

function add(total: Record<string, number>, counts: DiscoveryCounts): void {
  for (const [name, count] of Object.entries(counts) as [string, number][]) total[name] = (total[name] ?? 0) + count;
}

/** Prints the end of the trace, and checks on the way that the seed replays. */
async function explain({ seed, violation, traceHash }: DiscoveryResult, args: DiscoverySimArguments): Promise<void> {
  const again = await simulateDiscovery(seed, { record: true, policy: args.policy });
  const replays = again.traceHash === traceHash ? 'replays bit for bit' : `DOES NOT REPLAY: ${again.traceHash}`;
  const lines = args.keepGoing ? [] : again.trace.slice(-LAST_LINES);
  process.stdout.write(
    `\nseed ${seed}: ${violation!.kind}, ${violation!.rule}\n  ${violation!.message}\n` +
      `  trace ${traceHash}, ${replays}; the whole of it: npm run sim:discovery -- --trace ${seed} --policy ${args.policy}\n` +
      lines.map((line) => `${line}\n`).join(''),
  );
}

async function printTrace(seed: number, { policy }: DiscoverySimArguments): Promise<number> {
  const result = await simulateDiscovery(seed, { record: true, policy });
  const { violation, traceHash, nodes, liars, counts } = result;
  const end = violation === null ? 'no rule was broken' : `${violation.kind}, ${violation.rule}: ${violation.message}`;
  process.stdout.write(
    `${result.trace.join('\n')}\n\nseed ${seed}: ${end}\n${nodes} nodes, ${liars} of them liars, ` +
      `${JSON.stringify(counts)}, trace ${traceHash}\n`,
  );
  return exitCode(violation === null ? [] : [result]);
}

function exitCode(violations: readonly DiscoveryResult[]): number {
  if (violations.length === 0) return EXIT.ok;
  return violations.some(({ violation }) => violation?.kind === 'safety') ? EXIT.safety : EXIT.liveness;
}

process.exitCode = await main();
