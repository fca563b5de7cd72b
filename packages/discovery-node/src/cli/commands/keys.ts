import { join, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { credentialsExpireAt } from '@discovery-raft/psp-link';
import type { LoadedConfig } from '../../config/load.js';
import { readAuthorities } from '../../keys/authority-folder.js';
import { NODE_FILES } from '../../keys/init-network.js';
import { KEY_FILES, prepareNextLink, readKeys, rotateKeys, type NodeKeys } from '../../keys/key-folder.js';
import { createPublisherFile } from '../../keys/publisher-file.js';
import { readTrustRoot } from '../../keys/trust-root-file.js';
import { NodeError } from '../../errors.js';
import {
  configOf,
  positive,
  print,
  withAdmin,
  withConfig,
  withNode,
  type AdminFlags,
  type CliContext,
  type ConfigFlags,
} from '../context.js';
import { formatFacts, formatTime } from '../table.js';

const DAY_SECONDS = 86_400;

interface KeyFlags extends ConfigFlags {
  readonly json?: true;
}

interface RotateFlags extends AdminFlags {
  readonly linkIdentity?: true;
  readonly days: number;
  readonly rsaBits: number;
}

interface PublisherFlags {
  readonly authorities: string;
  readonly trustRoot?: string;
  readonly role: string;
  readonly days: number;
  readonly json?: true;
}

/** `keys show`, `keys rotate` and `keys publisher`. None prints key material. */
export function addKeysCommands(program: Command, context: CliContext): void {
  const keys = program.command('keys').description('Show and renew keys. Key material is never printed.');
  withConfig(keys.command('show'))
    .description('Identity, fingerprint and dates of this node, and what others put into their members.')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  discovery-node keys show')
    .action(async (flags: KeyFlags) => {
      const loaded = await configOf(flags, context);
      const shown = describe(await readKeys(folderOf(loaded)), loaded);
      print(context, flags, shown, keysText(shown));
    });
  withAdmin(keys.command('rotate'))
    .description(
      'New signing key and certificate, new link certificates; identity and fingerprint stay. A running node takes them.',
    )
    .option('--link-identity', 'prepare a new RSA identity instead: with a new fingerprint, for a trust root to name')
    .option('--days <n>', 'how long the new certificates hold', positive, 365)
    .option('--rsa-bits <n>', 'bits of the new RSA keys, from 2048', positive, 3072)
    .addHelpText(
      'after',
      `\nNeeds ${KEY_FILES.master} in the key folder; at other times it may be kept elsewhere.\nA new link identity waits in ${KEY_FILES.nextLink} until a trust root names its fingerprint; the running node then changes to it.\n\nExamples:\n  discovery-node keys rotate --days 90\n  discovery-node keys rotate --link-identity`,
    )
    .action((flags: RotateFlags) => rotate(flags, context));
  keys
    .command('publisher <file>')
    .description('Make the keys of a publisher, vouched for by authorities whose keys are here.')
    .requiredOption('--authorities <folder>', 'folder of the authorities, as `init --nodes` makes it')
    .option('--trust-root <file>', 'trust root of the network (default: the one beside that folder)')
    .addOption(
      new Option('--role <role>', 'what it publishes')
        .choices(['onion', 'discovery', 'auth', 'oracle'])
        .default('onion'),
    )
    .option('--days <n>', 'how long its certificate holds', positive, 365)
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  discovery-node keys publisher relay.pem --authorities demo/authorities')
    .action((file: string, flags: PublisherFlags) => publisher(file, flags, context));
}

async function rotate(flags: RotateFlags, context: CliContext): Promise<void> {
  const loaded = await configOf(flags, context);
  const notBefore = Math.floor(Date.now() / 1000) - 3600;
  const dates = { notBefore, notAfter: notBefore + flags.days * DAY_SECONDS };
  const options = { ...dates, rsaBits: flags.rsaBits };
  if (flags.linkIdentity === true) return prepareLink(loaded, flags, options, context);
  const shown = describe(await rotateKeys(folderOf(loaded), options), loaded);
  const isRunning = await withNode(flags, context, (client) => client.call('keys.reload', {})).then(
    () => true,
    (error: unknown) => {
      if (error instanceof NodeError && error.code === 'NODE_ADMIN_UNREACHABLE') return false;
      throw error;
    },
  );
  const next = isRunning ? 'The running node uses them.' : 'No node runs here: it uses them when it starts.';
  print(context, flags, { ...shown, inUse: isRunning }, `${keysText(shown)}\n${next}\n`);
}

async function prepareLink(
  loaded: LoadedConfig,
  flags: RotateFlags,
  options: { readonly notBefore: number; readonly notAfter: number; readonly rsaBits: number },
  context: CliContext,
): Promise<void> {
  const { identity } = (await readKeys(folderOf(loaded))).identity;
  const fingerprint = await prepareNextLink(folderOf(loaded), options);
  const text = `Made ${KEY_FILES.nextLink}. Have a trust root name it:\n  discovery-node root propose --rotate ${identity}=${fingerprint} -o next.root\n`;
  print(context, flags, { identity, fingerprint }, text);
}

async function publisher(file: string, flags: PublisherFlags, context: CliContext): Promise<void> {
  const { profile } = await readTrustRoot(
    resolve(flags.trustRoot ?? join(flags.authorities, '..', NODE_FILES.trustRoot)),
  );
  const notBefore = Math.floor(Date.now() / 1000) - 3600;
  const { identity } = await createPublisherFile(resolve(file), {
    profile,
    authorities: await readAuthorities(resolve(flags.authorities)),
    role: flags.role,
    notBefore,
    notAfter: notBefore + flags.days * DAY_SECONDS,
  });
  print(context, flags, { file: resolve(file), identity }, `Made ${file}: ${identity}\n`);
}

function folderOf({ config, path }: LoadedConfig): string {
  return path(config.keys.directory);
}

interface ShownKeys {
  readonly identity: string;
  readonly fingerprint: string;
  readonly signing: { readonly notBefore: number; readonly notAfter: number };
  readonly linkExpiresAt: number;
  readonly address: { readonly host: string; readonly port: number } | null;
  readonly folder: string;
}

function describe({ identity, fingerprint, link }: NodeKeys, loaded: LoadedConfig): ShownKeys {
  const { notBefore, notAfter } = identity.certificate;
  const own = loaded.config.members.find((member) => member.identity === identity.identity);
  const address = loaded.config.advertise ?? own;
  return {
    identity: identity.identity,
    fingerprint,
    signing: { notBefore, notAfter },
    linkExpiresAt: credentialsExpireAt(link),
    address: address === undefined ? null : { host: address.host, port: address.port },
    folder: join(folderOf(loaded)),
  };
}

function keysText({ identity, fingerprint, signing, linkExpiresAt, address, folder }: ShownKeys): string {
  const facts = formatFacts([
    ['identity', identity],
    ['fingerprint', fingerprint],
    ['signs until', formatTime(signing.notAfter)],
    ['links until', formatTime(linkExpiresAt)],
    ['folder', folder],
  ]);
  const { host, port } = address ?? { host: 'HOST', port: 'PORT' };
  return `${facts}
For the members of the other nodes:
  - identity: ${identity}
    fingerprint: ${fingerprint}
    host: ${host}
    port: ${port}
`;
}
