import { Command, InvalidArgumentError } from 'commander';
import type { CliContext, CliEnvironment } from './context.js';
import { EXIT, exitCodeOf } from './exit-codes.js';
import { errorText } from './plain-text.js';

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
    const program = makeProgram(context, await commandsFor(args[0]));
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has said what was wrong, or printed the help that was asked for; not of a value that a command looked at itself.
    if (isCommanderError(error) && !(error instanceof InvalidArgumentError))
      return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    environment.stderr.write(`${errorText(error)}\n`);
    return error instanceof InvalidArgumentError ? EXIT.usage : exitCodeOf(error);
  }
}

/** Adds commands to the program. */
type AddCommands = (program: Command, context: CliContext) => void;

/** All commands; the daemon is spared loading those that it is not. */
async function commandsFor(name: string | undefined): Promise<AddCommands> {
  if (name === 'start') return (await import('./commands/start.js')).addStart;
  return (await import('./all-commands.js')).addAllCommands;
}

/** The program with these commands. */
export function makeProgram(context: CliContext, addCommands: AddCommands): Command {
  const { stdout, stderr } = context;
  const program = new Command('discovery-node')
    .description('A discovery node of a privacy network: a directory that a quorum has signed.')
    .version(context.version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) })
    .showHelpAfterError('(see --help)')
    .addHelpText('after', HELP);
  addCommands(program, context);
  return program;
}

const HELP = `
Exit codes: 0 done; 1 the answer is no (refused, not to be believed, lost); 2 command line or configuration wrong;
3 failed; 4 no node answered; 5 data directory in use; 6 data damaged or store failed; 7 the node's state is not what
the others have.

Examples:
  discovery-node init --nodes 3 --dir demo         keys and configurations of a network on this machine
  discovery-node start --config demo/node-1/node.yaml
  discovery-node status --config demo/node-1/node.yaml`;

function isCommanderError(error: unknown): error is { exitCode: number } {
  return error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number';
}
