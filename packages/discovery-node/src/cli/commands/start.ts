import type { Command } from 'commander';
import { createLogger } from '../../logging/logger.js';
import { configOf, moment, withConfig, type CliContext, type ConfigFlags } from '../context.js';
import { exitCodeOf } from '../exit-codes.js';

interface Flags extends ConfigFlags {
  readonly bootstrap?: true;
  readonly manualClock?: number | true;
}

/** `start`: the daemon. */
export function addStart(program: Command, context: CliContext): void {
  withConfig(program.command('start'))
    .description('Run a node in the foreground, until SIGTERM or SIGINT. The log goes to standard error.')
    .option(
      '--bootstrap',
      'found a cluster of all members, if this node belongs to none; needed where `init` left no mark',
    )
    .option(
      '--manual-clock [time]',
      'demonstrations only: a time of day that stands still until `clock set` moves it (default: now)',
      moment,
    )
    .addHelpText('after', HELP)
    .action((flags: Flags) => start(flags, context));
}

const HELP = `
A leader that is asked to stop hands over first. A second signal ends the process at once.
Exit codes: 0 stopped; 2 configuration or keys wrong; 3 failed; 5 data directory in use; 6 data damaged or store failed;
7 its state is not what the other nodes have (they go on; the message says what to do).

Examples:
  discovery-node start --config /etc/discovery/node.yaml
  DISCOVERY_NODE_LOG_LEVEL=debug discovery-node start
  discovery-node start --set http.port=9280 --set log.format=json`;

async function start(flags: Flags, context: CliContext): Promise<void> {
  const loaded = await configOf(flags, context);
  const { config } = loaded;
  // What the daemon needs takes a moment to load, which the other commands are spared.
  const [{ readDeployment }, { runDaemon }] = await Promise.all([
    import('../../daemon/deployment.js'),
    import('../../daemon/run-daemon.js'),
  ]);
  const logger = createLogger({
    ...config.log,
    output: context.stderr,
    env: context.env,
    ...(config.name === undefined ? {} : { base: { node: config.name } }),
  });
  const deployment = await readDeployment(loaded);
  const { manualClock } = flags;
  const { failure } = await runDaemon(
    {
      deployment,
      version: context.version,
      bootstrap: flags.bootstrap === true,
      manualClock: manualClock === undefined ? null : manualClock === true ? Date.now() / 1000 : manualClock,
      logger,
    },
    process,
  );
  if (failure !== null) context.exit(exitCodeOf(failure));
}
