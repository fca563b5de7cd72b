import { resolve } from 'node:path';
import type { Command } from 'commander';
import { parsePeersJson } from '@discovery-raft/raft-core';
import { configOf, print, withConfig, type CliContext, type ConfigFlags } from '../context.js';
import { readBounded } from '../../directory/durable-file.js';
import { NodeError } from '../../errors.js';

/** Most bytes of a peers.json. */
const MAX_PEERS_BYTES = 1 << 20;

interface Flags extends ConfigFlags {
  readonly peers: string;
  readonly yes?: true;
  readonly json?: true;
}

/** `recover`: another configuration for a cluster that has lost its quorum for good. */
export function addRecover(program: Command, context: CliContext): void {
  withConfig(program.command('recover'))
    .description('Offline: give a cluster that has lost its quorum for good another configuration.')
    .requiredOption('--peers <file>', 'peers.json: [{"id": IDENTITY, "address": IDENTITY, "non_voter": false}, ...]')
    .option('--yes', 'do it; without this, only say what would be done')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action((flags: Flags) => recover(flags, context));
}

const HELP = `
Stop every node that is left, run this on each with the same peers.json, then start them. Everything in the log counts as
committed, also what never was. Try everything else first: two of three nodes, or three of five, need no recovery.

Examples:
  discovery-node recover --peers peers.json          what would be done
  discovery-node recover --peers peers.json --yes`;

async function recover(flags: Flags, context: CliContext): Promise<void> {
  const loaded = await configOf(flags, context);
  const configuration = parsePeersJson(await readText(resolve(flags.peers)));
  const dataFolder = loaded.path(loaded.config.data.directory);
  const servers = configuration.servers.map(({ id, suffrage }) => ({ id, suffrage }));
  if (flags.yes !== true) {
    const lines = servers.map(({ id, suffrage }) => `  ${suffrage.padEnd(8)}  ${id}\n`).join('');
    const text = `The cluster of ${dataFolder} would become\n${lines}Nothing was done; --yes does it.\n`;
    return print(context, flags, { done: false, dataFolder, servers }, text);
  }
  const { recoverNode } = await import('../../daemon/recover-node.js');
  const index = await recoverNode(loaded, configuration);
  const text = `Recovered at entry ${index}. Do the same on the other nodes, then start them.\n`;
  print(context, flags, { done: true, dataFolder, servers, index }, text);
}

async function readText(file: string): Promise<string> {
  try {
    return (await readBounded(file, MAX_PEERS_BYTES)).toString('utf8');
  } catch (cause) {
    throw new NodeError('NODE_INVALID_OPTION', `--peers: ${file} cannot be read`, { option: 'peers' }, cause);
  }
}
