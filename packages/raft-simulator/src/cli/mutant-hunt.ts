import { spawn } from 'node:child_process';
import type { TestBuild } from '../mutants/build.js';
import type { Edit, Mutant } from '../mutants/mutant.js';

/** What is hunted, and with which simulator. */
export interface MutantHunt {
  /** The npm script, for the usage. */
  readonly script: string;
  /** What the mutants break, for people. */
  readonly subject: string;
  /** Heading of the column of rules. */
  readonly rules: string;
  readonly mutants: readonly Mutant[];
  /** Seeds that a mutant may survive unless told otherwise. */
  readonly seeds: number;
  /** Seeds that the subject without a bug must survive, so that a report means something. */
  readonly controlSeeds: number;
  /** Columns of the longest name. */
  readonly nameColumns: number;
  /** Whether a simulator that crashes counts as a report; else it ends the hunt. */
  readonly crashCounts: boolean;
  /** A simulator whose subject has these edits. */
  makeBuild(edits: readonly Edit[]): TestBuild;
}

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

/**
 * Runs the command line of a hunt: each mutant in turn, until the simulator reports it, as a table on standard output.
 *
 * @returns the exit code: 0 every mutant was reported, 1 one survived or the subject itself did not, 2 a wrong argument
 */
export async function huntMutants(plan: MutantHunt, argv: readonly string[]): Promise<number> {
  let { seeds } = plan;
  let only = '';
  for (let i = 0; i < argv.length; i += 2) {
    if (argv[i] === '--seeds' && Number(argv[i + 1]) > 0) seeds = Number(argv[i + 1]);
    else if (argv[i] === '--only' && argv[i + 1] !== undefined) only = argv[i + 1]!;
    else {
      process.stderr.write(usage(plan));
      return 2;
    }
  }
  const mutants = plan.mutants.filter(({ name }) => name.includes(only));
  const control = await hunt(plan, NO_BUG, 1, plan.controlSeeds);
  if (control.found) {
    process.stdout.write(`${plan.subject} itself is reported: ${control.violation}\n`);
    return 1;
  }
  process.stdout.write(row(plan, 'mutant', 'seeds', plan.rules, 'violation'));
  let survivors = 0;
  for (const mutant of mutants) {
    const { found, seeds: needed, violation } = await hunt(plan, mutant, 1, seeds);
    // What is reported without the bug too says nothing about the bug.
    const innocent = found && needed > 0 && (await hunt(plan, NO_BUG, needed, 1)).found;
    if (!found || innocent) survivors++;
    const verdict = innocent ? 'FALSE' : found ? String(needed) : 'ALIVE';
    process.stdout.write(row(plan, mutant.name, verdict, mutant.rule, violation));
  }
  process.stdout.write(`\n${mutants.length - survivors} of ${mutants.length} mutants reported\n`);
  return survivors === 0 ? 0 : 1;
}

function usage({ script, seeds, subject }: MutantHunt): string {
  return `npm run ${script} -- [--seeds N] [--only NAME]

  --seeds N     how many seeds a mutant may survive (${seeds})
  --only NAME   only mutants whose names contain this

Exit code: 0 every mutant was reported, 1 one survived or ${subject} itself did not, 2 a wrong argument.
`;
}

/** Runs the simulator on a mutant, from seed `start` on, until it reports something. */
async function hunt(plan: MutantHunt, mutant: Mutant, start: number, seeds: number): Promise<Verdict> {
  const build = plan.makeBuild(mutant.edits);
  try {
    const { code, stdout, stderr } = await runNode([
      build.command,
      ...['--seeds', String(seeds), '--start', String(start), '--json'],
    ]);
    if (code === 0) return { found: false, seeds, violation: '' };
    if (code !== 10 && code !== 11) {
      if (!plan.crashCounts) throw new Error(`${mutant.name}: the simulator crashed: ${stderr.trim()}`);
      return { found: true, seeds: 0, violation: `the simulator crashed: ${stderr.trim().split('\n').at(-1) ?? ''}` };
    }
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

function row({ nameColumns }: MutantHunt, name: string, seeds: string, rule: string, violation: string): string {
  const short = violation.length > 110 ? `${violation.slice(0, 107)}...` : violation;
  return `${name.padEnd(nameColumns)} ${seeds.padStart(6)}  ${rule.padEnd(84)}  ${short}\n`;
}
