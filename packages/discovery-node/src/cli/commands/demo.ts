import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { silentProgress, TerminalProgress } from '../../demo/progress.js';
import type { DemoOptions, DemoSummary } from '../../demo/run-demo.js';
import { integer, positive, type CliContext } from '../context.js';
import { EXIT } from '../exit-codes.js';
import { formatSummary } from '../format-summary.js';

interface DemoFlags {
  readonly relays?: number;
  readonly nodes: number;
  readonly hours: number;
  readonly slotMinutes: number;
  readonly seed: number;
  readonly inProcess?: true;
  readonly keep?: string;
  readonly json?: true;
}

/** `demo`: the main job. */
export function addDemo(program: Command, context: CliContext): void {
  program
    .command('demo')
    .description(
      'Three nodes, every relay of a real network, a day of its churn: elect, publish, vote, lose the leader, go on. ' +
        'Every directory is verified as a client would, and compared with what was published.',
    )
    .option('--relays <n>', 'only the first n relays (default: all 10,139)', positive)
    .option('--nodes <n>', 'discovery nodes, 3 to 11', positive, 3)
    .option('--hours <n>', 'hours of churn to replay, 1 to 24', positive, 24)
    .option('--slot-minutes <n>', 'length of a slot, 15, 20, 30 or 60', positive, 60)
    .option('--seed <n>', 'decides which relay publishes where', integer, 1)
    .option('--in-process', 'all nodes in this process, in memory, instead of one process each with TLS and a disk')
    .option('--keep <folder>', 'where the processes keep keys, data and logs, which stay (default: a folder that goes)')
    .option('--json', 'print one line of JSON instead of the report')
    .addHelpText('after', HELP)
    .action(async (flags: DemoFlags) => context.exit(await demo(flags, context)));
}

const HELP = `
Exit codes: 0 nothing lost, nothing wrong; 1 an item lost or wrong, or a directory not verified or not the reference; 2 usage; 3 failure.

Examples:
  discovery-node demo                        all of it, with progress
  discovery-node demo --relays 500 --json    a quick look, for a program
  discovery-node demo --nodes 5 --seed 7     another cluster, other choices
  discovery-node demo --in-process           no processes, no TLS, no disk
  discovery-node demo --slot-minutes 15      four times as many rounds, as a real network has them`;

async function demo(flags: DemoFlags, context: CliContext): Promise<number> {
  const { stdout, stderr, env, dataFolder } = context;
  // The nodes' own processes need nothing of it.
  const { runDemo } = await import('../../demo/run-demo.js');
  const quiet = flags.json === true && stderr.isTTY !== true;
  const summary = await withFolder(flags, context, (processes) =>
    runDemo({
      dataFolder,
      nodes: flags.nodes,
      hours: flags.hours,
      slotMinutes: flags.slotMinutes,
      seed: flags.seed,
      ...(flags.relays === undefined ? {} : { relays: flags.relays }),
      ...(processes === undefined ? {} : { processes }),
      progress: quiet ? silentProgress : new TerminalProgress(stderr, env),
    }),
  );
  stdout.write(flags.json === true ? `${JSON.stringify(summary)}\n` : formatSummary(summary));
  return isGood(summary) ? EXIT.ok : EXIT.lostOrWrong;
}

type Processes = NonNullable<DemoOptions['processes']>;

/** Runs something with a folder for the processes, which is removed afterwards unless it is to be kept. */
async function withFolder<T>(
  { inProcess, keep }: DemoFlags,
  { programFile }: CliContext,
  run: (processes: Processes | undefined) => Promise<T>,
): Promise<T> {
  if (inProcess === true || programFile === undefined) return run(undefined);
  const command = [process.execPath, programFile];
  const [{ cleanedUpOnSignal }, { killChildNodes }] = await Promise.all([
    import('../../demo/clean-up-on-signal.js'),
    import('../../demo/child-node.js'),
  ]);
  if (keep !== undefined) return cleanedUpOnSignal(killChildNodes, () => run({ command, folder: resolve(keep) }));
  const folder = await mkdtemp(join(tmpdir(), 'discovery-demo-'));
  const cleanUp = (): void => {
    killChildNodes();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    return await cleanedUpOnSignal(cleanUp, () => run({ command, folder }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whether a demonstration showed what it should. */
export function isGood(summary: DemoSummary): boolean {
  const { verified, lost, wrong, compared, identical } = summary;
  return verified && lost === 0 && wrong === 0 && identical === compared;
}
