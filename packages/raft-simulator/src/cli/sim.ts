import { simulate, type SimulationResult } from '../simulation.js';
import { parseArguments, USAGE, type SimArguments } from './arguments.js';
import { Progress } from './progress.js';

const EXIT = { ok: 0, usage: 2, safety: 10, liveness: 11 } as const;

/** Lines of a failing seed's trace that are printed without being asked for. */
const LAST_LINES = 60;

async function main(): Promise<number> {
  const args = parseArguments(process.argv.slice(2));
  if (typeof args === 'string') {
    process.stderr.write(`${args}\n\n${USAGE}`);
    return EXIT.usage;
  }
  // Errors are everyday results here; their stacks cost time and say nothing.
  Error.stackTraceLimit = 0;
  return args.trace === null ? runSeeds(args) : printTrace(args.trace);
}

async function runSeeds(args: SimArguments): Promise<number> {
  const progress = new Progress(args.seeds, process.stderr);
  const violations: SimulationResult[] = [];
  let done = 0;
  let events = 0;
  let committed = 0;
  while (done < args.seeds) {
    const result = await simulate(args.start + done);
    done++;
    events += result.traceEvents;
    committed += result.committed;
    if (result.violation !== null) violations.push(result);
    progress.show(done, violations.length > 0 ? `${violations.length} violations` : '');
    if (result.violation !== null && !args.keepGoing) break;
  }
  progress.end();
  const seedsPerSecond = Number(progress.rate(done).toFixed(2));
  if (args.json) {
    const found = violations.map(({ seed, traceHash, violation }) => ({ seed, traceHash, ...violation }));
    const summary = { seeds: done, start: args.start, seedsPerSecond, events, committed, violations: found };
    process.stdout.write(`${JSON.stringify(summary)}\n`);
  } else {
    process.stdout.write(
      `${done} seeds from ${args.start} on, ${seedsPerSecond} seeds/s, ${events} events, ${committed} entries committed, ` +
        `${violations.length} violations\n`,
    );
    for (const result of violations) await explain(result);
  }
  return exitCode(violations);
}

/** Prints the end of the trace, and checks on the way that the seed replays. */
async function explain({ seed, violation, traceHash }: SimulationResult): Promise<void> {
  const again = await simulate(seed, { record: true });
  const replays = again.traceHash === traceHash ? 'replays bit for bit' : `DOES NOT REPLAY: ${again.traceHash}`;
  process.stdout.write(
    `\nseed ${seed}: ${violation!.kind}, ${violation!.rule}\n  ${violation!.message}\n` +
      `  trace ${traceHash}, ${replays}; the whole of it: npm run sim -- --trace ${seed}\n` +
      `${again.trace.slice(-LAST_LINES).join('\n')}\n`,
  );
}

async function printTrace(seed: number): Promise<number> {
  const result = await simulate(seed, { record: true });
  const { violation, traceHash, servers, committed, operations } = result;
  const end = violation === null ? 'no rule was broken' : `${violation.kind}, ${violation.rule}: ${violation.message}`;
  process.stdout.write(
    `${result.trace.join('\n')}\n\nseed ${seed}: ${end}\n${servers} servers, ${committed} entries committed, ` +
      `operations ${JSON.stringify(operations)}, trace ${traceHash}\n`,
  );
  return exitCode(violation === null ? [] : [result]);
}

function exitCode(violations: readonly SimulationResult[]): number {
  if (violations.length === 0) return EXIT.ok;
  return violations.some(({ violation }) => violation?.kind === 'safety') ? EXIT.safety : EXIT.liveness;
}

process.exitCode = await main();
