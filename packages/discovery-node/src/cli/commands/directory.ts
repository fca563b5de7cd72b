import type { Command } from 'commander';
import type { NodeAddress } from '@discovery-raft/discovery-client';
import type { ClientActions, PublishFlags, PullFlags, VerifyFlags } from '../client-actions.js';
import { collect, hostPort, moment, positive, waitSeconds, withConfig, type CliContext } from '../context.js';

/** The client takes a moment to load, which the other commands are spared. */
const actions = (): Promise<ClientActions> => import('../client-actions.js');

/** `publish`, `pull` and `verify`: what a client does. */
export function addDirectoryCommands(program: Command, context: CliContext): void {
  withNetwork(program.command('publish [packet]'))
    .description(
      'Publish a signed packet, from a file or made of --keys and --address, and wait until it is in the list.',
    )
    .option('--keys <file>', 'keys of a publisher, see `keys publisher`; the item is signed with them')
    .option('--address <host:port>', 'where the item is reached; may be repeated', collect, [])
    .option('--fingerprint <hex>', 'of the item, 64 hex digits (default: random, for trying out)')
    .option('--handshake <hex>', 'of the item, 64 hex digits (default: random, for trying out)')
    .option('--lifetime <seconds>', 'how long the item holds', positive, 3600)
    .addHelpText('after', PUBLISH_HELP)
    .action(async (file: string | undefined, flags: PublishFlags) =>
      context.exit(await (await actions()).publish(file, flags, context)),
    );
  withNetwork(program.command('pull'))
    .description('Get the directory, verify it against the trust root, and show or keep it.')
    .option('--from <place>', 'a URL or file instead of nodes: any web server or cache will do')
    .option('--out <file>', 'keep the directory in a file, for `verify` and any web server')
    .option('--cache <file>', 'remember the newest directory there, and never take an older one')
    .option('--at <time>', 'the moment to judge --from at (default: now)', moment)
    .addHelpText('after', PULL_HELP)
    .action(async (flags: PullFlags) => context.exit(await (await actions()).pull(flags, context)));
  withTrust(program.command('verify <file>'))
    .description('Verify a directory in a file, offline: quorum, trust root, dates.')
    .option('--at <time>', 'the moment to judge it at (default: now)', moment)
    .addHelpText('after', VERIFY_HELP)
    .action(async (file: string, flags: VerifyFlags) =>
      context.exit(await (await actions()).verify(file, flags, context)),
    );
}

const PUBLISH_HELP = `
Exit codes: 1 refused, or not confirmed; 4 no node could be reached.

Examples:
  discovery-node publish --keys relay.pem --address 192.0.2.1:9001
  discovery-node publish packet.bin --node 127.0.0.1:9100`;
const PULL_HELP = `
Exit codes: 1 what was got is not to be believed; 4 no node gave anything.

Examples:
  discovery-node pull
  discovery-node pull --from http://127.0.0.1:9180/directory --trust-root trust-root.json --out directory.bin`;
const VERIFY_HELP = `
Exit codes: 1 it is not to be believed.

Examples:
  discovery-node verify directory.bin --trust-root trust-root.json --roots roots.bin
  discovery-node verify directory.bin --at 2026-01-31T12:00:00Z`;

function withTrust(command: Command): Command {
  return withConfig(command)
    .option('--trust-root <file>', 'whom to believe (default: that of the configuration)')
    .option(
      '--roots <file>',
      'newer trust roots, signed; see `root export`. Nodes and web servers are asked for them too',
    )
    .option('--json', 'print JSON');
}

function withNetwork(command: Command): Command {
  return withTrust(command)
    .option(
      '--node <host:port>',
      'a discovery node (default: the members of the configuration); may be repeated',
      (text: string, before: readonly NodeAddress[]) => [...before, hostPort(text)],
      [],
    )
    .option('--timeout <seconds>', 'how long it may take', waitSeconds, 30);
}
