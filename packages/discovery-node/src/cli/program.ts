import { Command, InvalidArgumentError } from 'commander';
import { runDemo, type DemoSummary } from '../demo/run-demo.js';
import { silentProgress, TerminalProgress, type ProgressOutput } from '../demo/progress.js';
import { formatSummary } from './format-summary.js';

/** Exit codes of the command line. */
export const EXIT = { ok: 0, lostOrWrong: 1, usage: 2, failed: 3 } as const;

/** Where the command line runs. */
export interface CliEnvironment {
  /** Folder with the relays of the demonstration. */
  readonly dataFolder: string;
  readonly version: string;
  readonly stdout: ProgressOutput;
  readonly stderr: ProgressOutput;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Runs the command line. @returns the exit code */
export async function runCli(args: readonly string[], environment: CliEnvironment): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = makeProgram(environment, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has said what was wrong, or printed the help that was asked for.
    if (isCommanderError(error)) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    environment.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return hasCode(error, 'NODE_INVALID_OPTION') ? EXIT.usage : EXIT.failed;
  }
}

function makeProgram(environment: CliEnvironment, exit: (code: number) => void): Command {
  const { stdout, stderr } = environment;
  const program = new Command('discovery-node')
    .description('A discovery node of a privacy network: a directory that a quorum has signed.')
    .version(environment.version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) })
    .showHelpAfterError('(see --help)');
  program
    .command('demo')
    .description(
      'Three nodes, every relay of a real network, a day of its churn: elect, publish, vote, lose the leader, go on. ' +
        'Every directory is verified as a client would, and compared with what was published.',
    )
    .option('--relays <n>', 'only the first n relays (default: all 10,139)', positive)
    .option('--nodes <n>', 'discovery nodes, 3 to 11', positive, 3)
    .option('--hours <n>', 'hours of churn to replay, 1 to 24', positive, 24)
    .option('--seed <n>', 'decides which relay publishes where', integer, 1)
    .option('--json', 'print one line of JSON instead of the report')
    .addHelpText('after', HELP)
    .action(async (options: DemoFlags) => exit(await demo(options, environment)));
  return program;
}

const HELP = `
Exit codes: 0 nothing lost, nothing wrong; 1 an item lost or wrong, or a directory not verified; 2 usage; 3 failure.

Examples:
  discovery-node demo                        all of it, with progress
  discovery-node demo --relays 500 --json    a quick look, for a program
  discovery-node demo --nodes 5 --seed 7     another cluster, other choices`;

interface DemoFlags {
  readonly relays?: number;
  readonly nodes: number;
  readonly hours: number;
  readonly seed: number;
  readonly json?: true;
}

async function demo(flags: DemoFlags, environment: CliEnvironment): Promise<number> {
  const { stdout, stderr, env, dataFolder } = environment;
  const quiet = flags.json === true && stderr.isTTY !== true;
  const summary = await runDemo({
    dataFolder,
    nodes: flags.nodes,
    hours: flags.hours,
    seed: flags.seed,
    ...(flags.relays === undefined ? {} : { relays: flags.relays }),
    progress: quiet ? silentProgress : new TerminalProgress(stderr, env),
  });
  stdout.write(flags.json === true ? `${JSON.stringify(summary)}\n` : formatSummary(summary));
  return isGood(summary) ? EXIT.ok : EXIT.lostOrWrong;
}

/** Whether a demonstration showed what it should. */
export function isGood(summary: DemoSummary): boolean {
  return summary.verified && summary.lost === 0 && summary.wrong === 0;
}

function positive(text: string): number {
  const value = integer(text);
  if (value < 1) throw new InvalidArgumentError('It must be at least 1.');
  return value;
}

function integer(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value)) throw new InvalidArgumentError('It must be a whole number.');
  return value;
}

function isCommanderError(error: unknown): error is { exitCode: number } {
  return error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number';
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
