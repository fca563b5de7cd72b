import { Argument, type Command } from 'commander';
import { completionScript, SHELLS, type Shell } from '../completion-script.js';
import type { CliContext } from '../context.js';

/** `completion`: a script that a shell reads at its start. */
export function addCompletion(program: Command, context: CliContext): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .description('Print a script that completes commands and flags.')
    .addHelpText(
      'after',
      `
Examples:
  discovery-node completion bash > /etc/bash_completion.d/discovery-node
  discovery-node completion zsh > "\${fpath[1]}/_discovery-node"
  discovery-node completion fish > ~/.config/fish/completions/discovery-node.fish`,
    )
    .action((shell: Shell) => {
      context.stdout.write(completionScript(program, shell));
    });
}
