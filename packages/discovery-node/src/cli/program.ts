import { Command } from 'commander';
import { addClusterCommands } from './commands/cluster.js';
import { addCompletion } from './commands/completion.js';
import { addConfigCommands } from './commands/config.js';
import { addDemo } from './commands/demo.js';
import { addDirectoryCommands } from './commands/directory.js';
import { addInit } from './commands/init.js';
import { addKeysCommands } from './commands/keys.js';
import { addRootCommands } from './commands/root.js';
import { addRecover } from './commands/recover.js';
import { addStart } from './commands/start.js';
import { addStatusCommands } from './commands/status.js';
import type { CliContext, CliEnvironment } from './context.js';
import { EXIT, exitCodeOf } from './exit-codes.js';

export { isGood } from './commands/demo.js';
export type { CliEnvironment } from './context.js';
export { EXIT } from './exit-codes.js';

/** Runs the command line. @returns the exit code */
export async function runCli(args: readonly string[], environment: CliEnvironment): Promise<number> {
  let exitCode: number = EXIT.ok;
  const context: CliContext = {
    ...environment,
    exit(code) {
      exitCode = code;
    },
  };
  try {
    await makeProgram(context).parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has said what was wrong, or printed the help that was asked for.
    if (isCommanderError(error)) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    environment.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return exitCodeOf(error);
  }
}

/** The commands, in the order of the help. */
export function makeProgram(context: CliContext): Command {
  const { stdout, stderr } = context;
  const program = new Command('discovery-node')
    .description('A discovery node of a privacy network: a directory that a quorum has signed.')
    .version(context.version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) })
    .showHelpAfterError('(see --help)')
    .addHelpText('after', HELP);
  addInit(program, context);
  addStart(program, context);
  addStatusCommands(program, context);
  addClusterCommands(program, context);
  addRootCommands(program, context);
  addDirectoryCommands(program, context);
  addRecover(program, context);
  addKeysCommands(program, context);
  addConfigCommands(program, context);
  addDemo(program, context);
  addCompletion(program, context);
  return program;
}

const HELP = `
Exit codes: 0 done; 1 the answer is no (refused, not to be believed, lost); 2 command line or configuration wrong;
3 failed; 4 no node answered; 5 data directory in use; 6 data damaged or store failed.

Examples:
  discovery-node init --nodes 3 --dir demo         keys and configurations of a network on this machine
  discovery-node start --config demo/node-1/node.yaml
  discovery-node status --config demo/node-1/node.yaml`;

function isCommanderError(error: unknown): error is { exitCode: number } {
  return error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number';
}
