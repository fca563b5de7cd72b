import type { Command } from 'commander';
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
import type { CliContext } from './context.js';

/** All commands, in the order of the help. */
export function addAllCommands(program: Command, context: CliContext): void {
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
}
