import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Bench, BenchContext } from './bench.js';
import { resultLine, table, type ResultLine } from './report.js';

// This file runs as out-tsc/run.js; a benchmark whose source is gone may have left its compiled file behind.
const sources = new URL('../suite/', import.meta.url);

const USAGE = `npm run bench -- [--only NAME]... [--full] [--seconds S] [--repeats N] [--json]
npm run bench -- --list

  --only NAME    those of this name, or whose names begin with it and a slash
  --full         also those that take minutes
  --seconds S    how long each repeat measures (2)
  --repeats N    repeats, of which the median counts (3)
  --json         one JSON object a benchmark on standard output
  --list         the names, with their units

HASHICORP_BENCH=FILE measures the hashicorp/raft baseline in turn with ours.
`;

function readArguments() {
  try {
    return parseArgs({
      options: {
        only: { type: 'string', multiple: true },
        json: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        full: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        seconds: { type: 'string', default: '2' },
        repeats: { type: 'string', default: '3' },
      },
    }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

const values = readArguments();
if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}

async function discover(): Promise<Bench[]> {
  const files = readdirSync(sources).filter((name) => name.endsWith('.bench.ts'));
  const found: Bench[] = [];
  for (const file of files.toSorted()) {
    const compiled = new URL(`suite/${file.replace(/\.ts$/, '.js')}`, import.meta.url);
    const module = (await import(compiled.href)) as { default: readonly Bench[] };
    found.push(...module.default);
  }
  return found;
}

function chosen(all: readonly Bench[], names: readonly string[]): readonly Bench[] {
  const matches = (bench: Bench, name: string): boolean => bench.name === name || bench.name.startsWith(`${name}/`);
  const unknown = names.filter((name) => !all.some((bench) => matches(bench, name)));
  if (unknown.length > 0) throw new RangeError(`No benchmark is called ${unknown.join(', ')}; --list names them.`);
  return all.filter((bench) => names.some((name) => matches(bench, name)));
}

function positive(option: 'seconds' | 'repeats'): number {
  const value = Number(values[option]);
  if (!(value > 0)) throw new RangeError(`--${option} must be a number above 0, not ${values[option]}.`);
  return value;
}

async function main(): Promise<void> {
  const all = await discover();
  const context: BenchContext = {
    effort: { seconds: Math.max(0.05, positive('seconds')), repeats: Math.ceil(positive('repeats')) },
    progress: (text) => void process.stderr.write(`${text}\n`),
  };
  const named = values.only ? chosen(all, values.only) : all;
  const wanted = (bench: Bench): boolean =>
    values.full || bench.onlyInFull !== true || (values.only?.includes(bench.name) ?? false);
  const benches = named.filter(wanted);
  if (values.list) {
    process.stdout.write(benches.map((bench) => `${bench.name} (${bench.unit})\n`).join(''));
    return;
  }
  const lines: ResultLine[] = [];
  for (const bench of benches) {
    context.progress(`${bench.name} …`);
    try {
      const line = resultLine(bench, await bench.run(context));
      lines.push(line);
      if (values.json) process.stdout.write(`${JSON.stringify(line)}\n`);
    } catch (error) {
      context.progress(
        `${bench.name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
      process.exitCode = 1;
    }
  }
  if (!values.json) process.stdout.write(`${table(lines)}\n`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
