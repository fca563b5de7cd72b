import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { networkProfile } from '@discovery-raft/psp-pki';
import { initNetwork, initNode, type MadeNetwork, type MadeNode } from '../../keys/init-network.js';
import { NodeError } from '../../errors.js';
import { readRootDocument } from '../../keys/trust-root-file.js';
import { hostPort, moment, positive, print, type CliContext } from '../context.js';
import { formatTable, shortIdentity } from '../table.js';

const DAY_SECONDS = 86_400;

interface Flags {
  readonly dir: string;
  readonly nodes?: number;
  readonly host: string;
  readonly port: number;
  readonly name?: string;
  readonly join?: true | string;
  readonly peer: readonly { readonly host: string; readonly port: number }[];
  readonly slotSeconds?: number;
  readonly validFrom?: number;
  readonly days: number;
  readonly rsaBits: number;
  readonly profile: string;
  readonly json?: true;
}

/** `init`: keys and configuration of one node, or of a whole network on this machine. */
export function addInit(program: Command, context: CliContext): void {
  program
    .command('init')
    .description('Make keys, trust root and configuration: of one node, or with --nodes of a network on this machine.')
    .requiredOption('--dir <folder>', 'where to; nothing that is there is overwritten')
    .option('--nodes <n>', 'a whole network of n nodes, with authorities, each node in a folder of its own', positive)
    .option('--host <host>', 'where peers reach the node; with --nodes, where all listen', '127.0.0.1')
    .option('--port <port>', 'where peers reach the node; with --nodes, free ports are chosen', positive, 9100)
    .option('--name <name>', 'what people call the node')
    .option(
      '--join [root-file]',
      'the node joins a network that exists, with this first trust root; it never founds a cluster',
    )
    .option(
      '--peer <host:port>',
      'with --join: a node that has the later trust roots; may be repeated',
      (text: string, before: Flags['peer']) => [...before, hostPort(text)],
      [],
    )
    .option('--slot-seconds <n>', 'length of a round (default: 900)', positive)
    .option('--valid-from <time>', 'begin of every certificate (default: an hour ago)', moment)
    .option('--days <n>', 'how long certificates hold', positive, 365)
    .option('--rsa-bits <n>', 'bits of the RSA keys of links, from 2048', positive, 3072)
    .addOption(new Option('--profile <name>', 'strings of the protocol').choices(['xpx', 'psp']).default('xpx'))
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action((flags: Flags) => init(flags, context));
}

const HELP = `
Private files get mode 0600 and folders 0700.

Examples:
  discovery-node init --nodes 3 --dir demo                     three nodes on this machine, ready to start
  discovery-node init --dir /etc/discovery --host d1.example   one node; add the others to node.yaml and trust-root.json
  discovery-node init --dir /etc/discovery --host d4.example --join trust-root.json --peer d1.example:9100`;

async function init(flags: Flags, context: CliContext): Promise<void> {
  const notBefore = Math.floor(flags.validFrom ?? Date.now() / 1000 - 3600);
  const common = {
    folder: resolve(flags.dir),
    notBefore,
    notAfter: notBefore + flags.days * DAY_SECONDS,
    profile: networkProfile(flags.profile),
    rsaBits: flags.rsaBits,
    host: flags.host,
  };
  if (flags.rsaBits < 2048 || flags.rsaBits > 8192) {
    throw new NodeError('NODE_INVALID_OPTION', '--rsa-bits must be from 2048 to 8192', { option: 'rsa-bits' });
  }
  if (flags.nodes !== undefined) {
    const { slotSeconds } = flags;
    const made = await initNetwork({
      ...common,
      nodes: flags.nodes,
      ...(slotSeconds === undefined ? {} : { slotSeconds }),
    });
    return print(context, flags, jsonOf(made), networkText(made));
  }
  const network = typeof flags.join === 'string' ? { root: await readRootDocument(resolve(flags.join)) } : undefined;
  if (network !== undefined && flags.peer.length === 0) {
    throw new NodeError('NODE_INVALID_OPTION', '--join with a trust root needs a --peer to ask', { option: 'peer' });
  }
  const { slotSeconds } = flags;
  const node = await initNode({
    ...common,
    ...(slotSeconds === undefined ? {} : { slotSeconds }),
    ...(network === undefined ? {} : { network: { ...network, peers: flags.peer } }),
    port: flags.port,
    ...(flags.name === undefined ? {} : { name: flags.name }),
    ...(flags.join === true ? { join: true } : {}),
  });
  print(context, flags, node, network === undefined ? nodeText(node) : joiningText(node));
}

/** What was made, without the authorities' keys. */
function jsonOf({ folder, trustRootFile, authorityFolder, nodes }: MadeNetwork): unknown {
  return { folder, trustRootFile, authorityFolder, nodes };
}

function networkText({ nodes, trustRootFile, authorityFolder }: MadeNetwork): string {
  const rows = nodes.map(({ name, identity, host, port, httpPort }) => [
    name,
    shortIdentity(identity),
    `${host}:${port}`,
    `http://${host}:${httpPort}`,
  ]);
  return `${formatTable(['node', 'identity', 'listens', 'http'], rows)}
trust root   ${trustRootFile}
authorities  ${authorityFolder}

Start each node in a terminal of its own:
${nodes.map(({ configFile }) => `  discovery-node start --config ${configFile}\n`).join('')}`;
}

function nodeText({ configFile, identity, fingerprint, host, port }: MadeNode): string {
  return `Made ${configFile}

Tell the other nodes; each needs this in its members:
  - identity: ${identity}
    fingerprint: ${fingerprint}
    host: ${host}
    port: ${port}
and the identity in discoveryNodes of its trust root. Add theirs to yours, and the authorities.
Then: discovery-node config check ${configFile}
`;
}

function joiningText({ configFile, identity }: MadeNode): string {
  return `Made ${configFile} for
  ${identity}

Next:
  discovery-node keys show --json --config ${configFile} > node.json    and give node.json to a node of the network
  discovery-node root propose --add node.json -o next.root              there; it comes back signed
  discovery-node root sign next.root --joining --config ${configFile}   here; then it is published there
  discovery-node start --config ${configFile}
consensus must be as on the other nodes.
`;
}
