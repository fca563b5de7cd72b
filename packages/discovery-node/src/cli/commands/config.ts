import type { Command } from 'commander';
import { readConfig, type LoadedConfig } from '../../config/load.js';
import { formatPath, formatProblems, type ConfigProblem } from '../../config/problem.js';
import type { NodeConfig } from '../../config/schema.js';
import { settingsTable, showConfig } from '../../config/show.js';
import {
  configFileOf,
  configOf,
  print,
  wantsColours,
  withConfig,
  type CliContext,
  type ConfigFlags,
} from '../context.js';
import { EXIT } from '../exit-codes.js';
import { formatTable } from '../table.js';

interface Flags extends ConfigFlags {
  readonly json?: true;
  readonly settings?: true;
  readonly files?: boolean;
}

/** `config check` and `config show`. */
export function addConfigCommands(program: Command, context: CliContext): void {
  const config = program.command('config').description('Judge and show a configuration.');
  withConfig(config.command('check [file]'))
    .description(
      'Judge a configuration file with the environment and flags, and the files that it names; explain every error.',
    )
    .option('--no-files', 'judge the configuration alone, not the keys and the trust root that it names')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  discovery-node config check node.yaml\n  discovery-node config check node.yaml --set listen.port=9100',
    )
    .action(async (file: string | undefined, flags: Flags) => context.exit(await check(file, flags, context)));
  withConfig(config.command('show'))
    .description(
      'Print the configuration in force: the file, the environment over it, flags over both. No key material.',
    )
    .option('--settings', 'every setting with its default, its variable and its meaning, instead')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  discovery-node config show\n  discovery-node config show --settings')
    .action((flags: Flags) => show(flags, context));
}

async function check(file: string | undefined, flags: Flags, context: CliContext): Promise<number> {
  const path = file ?? configFileOf(flags, context);
  const result = await readConfig({ file: path, env: context.env, flags: flags.set });
  const problems = result.ok ? await filesOf(result.loaded, flags) : result.problems;
  if (result.ok && problems.length === 0) {
    const { config, file: good } = result.loaded;
    const hints = hintsOf(config);
    const text = `${good} is good.\n${hints.map((hint) => `hint: ${hint}\n`).join('')}`;
    print(context, flags, { ok: true, file: good, problems: [], hints }, text);
    return EXIT.ok;
  }
  const plain = problems.map((problem) => ({ ...problem, path: formatPath(problem.path) }));
  print(context, flags, { ok: false, file: path, problems: plain }, formatProblems(problems));
  return EXIT.usage;
}

/** What is not wrong, and could be better. */
function hintsOf({ raft, consensus }: NodeConfig): readonly string[] {
  if (raft.signatures === 'require' || consensus.standalone) return [];
  if (raft.signatures === 'off') {
    return ['raft.signatures is off: no signature of a Raft packet is looked at. Set it to prefer, on all nodes.'];
  }
  const when = 'when `discovery-node status` shows that the packets of every peer are signed';
  const taken = 'an unsigned Raft packet is taken of a peer that has not signed one yet';
  return [`raft.signatures is prefer: ${taken}. Set it to require, on all nodes, ${when}.`];
}

/** What is wrong with the keys and the trust root that a configuration names. */
async function filesOf(loaded: LoadedConfig, flags: Flags): Promise<readonly ConfigProblem[]> {
  if (flags.files === false) return [];
  const { judgeDeployment } = await import('../../daemon/deployment.js');
  return (await judgeDeployment(loaded)).problems;
}

async function show(flags: Flags, context: CliContext): Promise<void> {
  if (flags.settings === true) {
    const rows = settingsTable();
    const json = rows.map(([name, byDefault, variable, meaning]) => ({ name, default: byDefault, variable, meaning }));
    const table = formatTable(['setting', 'default', 'variable', 'meaning'], rows, { colours: wantsColours(context) });
    return print(context, flags, json, table);
  }
  const { config } = await configOf(flags, context);
  print(context, flags, config, showConfig(config));
}
