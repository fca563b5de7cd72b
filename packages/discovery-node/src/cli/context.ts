import { resolve } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { AdminClient } from '../admin/admin-client.js';
import { loadConfig, type LoadedConfig } from '../config/load.js';
import type { ProgressOutput } from '../demo/progress.js';

/** Where the command line runs. */
export interface CliEnvironment {
  /** Folder with the relays of the demonstration. */
  readonly dataFolder: string;
  readonly version: string;
  readonly stdout: ProgressOutput;
  readonly stderr: ProgressOutput;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The program itself, for commands that start nodes. Default: none, and they say so. */
  readonly programFile?: string;
}

/** What every command has. */
export interface CliContext extends CliEnvironment {
  /** Sets the exit code; 0 until then. */
  exit(code: number): void;
}

/** Flags of commands that read a configuration. */
export interface ConfigFlags {
  readonly config?: string;
  readonly set: readonly string[];
}

/** Flags of commands that speak to a running node. */
export interface AdminFlags extends ConfigFlags {
  readonly socket?: string;
  readonly json?: true;
}

const DEFAULT_CONFIG = 'node.yaml';

/** Adds the flags that lead to a configuration. */
export function withConfig(command: Command): Command {
  return command
    .option('-c, --config <file>', `configuration file (default: $DISCOVERY_NODE_CONFIG, or ${DEFAULT_CONFIG})`)
    .option('--set <name=value>', 'a setting over the file, such as log.level=debug; may be repeated', collect, []);
}

/** Adds the flags of a command that speaks to a running node. */
export function withAdmin(command: Command): Command {
  return withConfig(command)
    .option('--socket <path>', 'admin socket of the node (default: what the configuration says)')
    .option('--json', 'print JSON');
}

/** The file that the flags and the environment lead to. */
export function configFileOf(flags: ConfigFlags, { env }: CliEnvironment): string {
  return flags.config ?? env['DISCOVERY_NODE_CONFIG'] ?? DEFAULT_CONFIG;
}

/** Loads the configuration. @throws NodeError NODE_CONFIG_UNREADABLE, NODE_CONFIG_INVALID */
export function configOf(flags: ConfigFlags, environment: CliEnvironment): Promise<LoadedConfig> {
  return loadConfig({ file: configFileOf(flags, environment), env: environment.env, flags: flags.set });
}

/** Runs something with a connection to the node. @throws NodeError NODE_ADMIN_UNREACHABLE and those of the calls */
export async function withNode<T>(
  flags: AdminFlags,
  context: CliContext,
  use: (client: AdminClient) => Promise<T>,
  timeoutMs?: number,
): Promise<T> {
  const socket = flags.socket === undefined ? await socketOf(flags, context) : resolve(flags.socket);
  const client = await AdminClient.connect({ socket, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

async function socketOf(flags: ConfigFlags, context: CliContext): Promise<string> {
  const { config, path } = await configOf(flags, context);
  return path(config.admin.socket);
}

/** Prints a result: as JSON when that was asked for, else for people. */
export function print(context: CliContext, flags: { readonly json?: true }, result: unknown, text: string): void {
  context.stdout.write(flags.json === true ? `${JSON.stringify(result)}\n` : text);
}

/** Whether to print in colours: on a terminal, and not with NO_COLOR. */
export function wantsColours({ stdout, env }: CliEnvironment): boolean {
  return stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}

/** Gathers the values of a flag that may be repeated. */
export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

/** Reads a whole number from 1. */
export function positive(text: string): number {
  const value = integer(text);
  if (value < 1) throw new InvalidArgumentError('It must be at least 1.');
  return value;
}

/** Most seconds that a command waits. */
const MAX_WAIT_SECONDS = 3600;

/** Reads how long something may take, in seconds. */
export function waitSeconds(text: string): number {
  const value = positive(text);
  if (value > MAX_WAIT_SECONDS) throw new InvalidArgumentError(`It must be at most ${MAX_WAIT_SECONDS}.`);
  return value;
}

/** Reads a whole number. */
export function integer(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value)) throw new InvalidArgumentError('It must be a whole number.');
  return value;
}

/** Reads a moment: Unix seconds or a date such as 2026-01-31T12:00:00Z. */
export function moment(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Date.parse(text) / 1000;
  if (Number.isFinite(seconds)) return seconds;
  throw new InvalidArgumentError('It must be Unix seconds, or a date such as 2026-01-31T12:00:00Z.');
}

/** Reads `host:port` or `[v6]:port`. */
export function hostPort(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) throw new InvalidArgumentError('It must be host:port or [v6]:port.');
  return { host: (match[1] ?? match[2])!, port };
}
