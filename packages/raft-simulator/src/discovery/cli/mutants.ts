import { spawn } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import type { Mutant } from '../../mutants/mutant.js';
import { makeDiscoveryTestBuild } from '../mutants/build.js';
import { DISCOVERY_MUTANTS } from '../mutants/catalogue.js';

const USAGE = `npm run sim:discovery:mutants -- [--seeds N] [--only NAME]

  --seeds N     how many seeds a mutant may survive (500)
  --only NAME   only mutants whose names contain this

Exit code: 0 every mutant was reported, 1 one survived or the consensus itself did not, 2 a wrong argument.
`;

/** Seeds that the consensus without a bug must survive, so that a report means something. */
const CONTROL_SEEDS = 25;

const NO_BUG: Mutant = { name: 'none', rule: '', edits: [] };

interface Verdict {
  readonly found: boolean;
  /** Seeds that it took; 0 when the simulator crashed. */
  readonly seeds: number;
  readonly violation: string;
}

interface Summary {
  readonly seeds: number;
  readonly violations: readonly { readonly rule: string; readonly message: string }[];
}

async function main(): Promise<number> {
  const argv = process.argv.slice(2);
  let seeds = 500;
  let only = '';
  for (let i = 0; i < argv.length; i += 2) {
    if (argv[i] === '--seeds' && Number(argv[i + 1]) > 0) seeds = Number(argv[i + 1]);
    else if (argv[i] === '--only' && argv[i + 1] !== undefined) only = argv[i + 1]!;
    else {
      process.stderr.write(USAGE);
      return 2;
    }
  }
  const mutants = DISCOVERY_MUTANTS.filter(({ name }) => name.includes(only));
  const root = resolve(dirname(process.argv[1]!), '..', '..', '..');
  const control = await hunt(root, NO_BUG, 1, CONTROL_SEEDS);
  if (control.found) {
    process.stdout.write(`the consensus itself is reported: ${control.violation}\n`);
    return 1;
  }
  process.stdout.write(row('mutant', 'seeds', 'rule of DISCOVERY.md', 'violation'));
  let survivors = 0;
  for (const mutant of mutants) {
    const { found, seeds: needed, violation } = await hunt(root, mutant, 1, seeds);
    // What is reported without the bug too says nothing about the bug.
    const innocent = found && needed > 0 && (await hunt(root, NO_BUG, needed, 1)).found;
    if (!found || innocent) survivors++;
    const verdict = innocent ? 'FALSE' : found ? String(needed) : 'ALIVE';
    process.stdout.write(row(mutant.name, verdict, mutant.rule, violation));
  }
  process.stdout.write(`\n${mutants.length - survivors} of ${mutants.length} mutants reported\n`);
  return survivors === 0 ? 0 : 1;
}

/** Runs the simulator on a mutant, from seed `start` on, until it reports something. */
async function hunt(root: string, mutant: Mutant, start: number, seeds: number): Promise<Verdict> {
  const build = makeDiscoveryTestBuild(root, mutant.edits);
  try {
    const { code, stdout, stderr } = await runNode([
      build.command,
      ...['--seeds', String(seeds), '--start', String(start), '--json'],
    ]);
    if (code === 0) return { found: false, seeds, violation: '' };
    if (code !== 10 && code !== 11) throw new Error(`${mutant.name}: the simulator crashed: ${stderr.trim()}`);
    const summary = JSON.parse(stdout) as Summary;
    const [first] = summary.violations;
    return { found: true, seeds: summary.seeds, violation: `${first?.rule}: ${first?.message}` };
  } finally {
    build.remove();
  }
}

function runNode(args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolvePromise, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolvePromise({ code, stdout, stderr }));
  });
}

function row(name: string, seeds: string, rule: string, violation: string): string {
  const short = violation.length > 110 ? `${violation.slice(0, 107)}...` : violation;
  return `${name.padEnd(32)} ${seeds.padStart(6)}  ${rule.padEnd(84)}  ${short}\n`;
}

process.exitCode = await main();
