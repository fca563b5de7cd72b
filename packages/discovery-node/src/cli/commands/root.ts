import type { Command } from 'commander';
import { collect, moment, positive, withAdmin, type AdminFlags, type CliContext } from '../context.js';
import type * as RootActions from '../root/actions.js';
import type { ExportFlags, ProposeFlags, SignFlags, VerifyRootsFlags } from '../root/actions.js';

/** What the commands do takes a moment to load, which the others are spared. */
const actions = (): Promise<typeof RootActions> => import('../root/actions.js');

/** `root`: the versions of the trust root, and with them the members of the network. */
export function addRootCommands(program: Command, context: CliContext): void {
  const root = program
    .command('root')
    .description('The trust root: who the discovery nodes are. A quorum of the nodes signs each change.')
    .addHelpText('after', ROOT_HELP);
  withAdmin(root.command('show [file]', { isDefault: true }))
    .description('The versions that a running node knows; with a file, a proposal and who has signed it.')
    .addHelpText('after', '\nExamples:\n  discovery-node root show\n  discovery-node root show next.root --json')
    .action(async (file: string | undefined, flags: AdminFlags) => (await actions()).show(file, flags, context));
  addPropose(root, context);
  withAdmin(root.command('sign <file>'))
    .description('Add the signature of the running node to a proposal.')
    .option('--joining', 'this node is new in it, and does not run yet: sign with its keys')
    .addHelpText('after', SIGN_HELP)
    .action(async (file: string, flags: SignFlags) => context.exit(await (await actions()).sign(file, flags, context)));
  withAdmin(root.command('publish <files...>'))
    .description('Give a signed root to a running node, which tells all others. Files of one root are merged.')
    .addHelpText('after', PUBLISH_HELP)
    .action(async (files: string[], flags: AdminFlags) =>
      context.exit(await (await actions()).publish(files, flags, context)),
    );
  root
    .command('verify <file>')
    .description('Verify signed roots of `root export` or /trust-roots against a first one, offline.')
    .requiredOption('--trust-root <file>', 'the root that is believed')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExit codes: 1 they are not to be believed.\n\nExamples:\n  discovery-node root verify roots.bin --trust-root trust-root.json',
    )
    .action(async (file: string, flags: VerifyRootsFlags) =>
      context.exit(await (await actions()).verify(file, flags, context)),
    );
  withAdmin(root.command('export'))
    .description('Write the signed roots of a running node, for clients and `verify --roots`.')
    .requiredOption('-o, --out <file>', 'where to')
    .option('--newest', 'write the newest root instead, as a file to build clients and nodes with')
    .addHelpText(
      'after',
      '\nExamples:\n  discovery-node root export -o roots.bin\n  discovery-node root export --newest -o trust-root.json',
    )
    .action(async (flags: ExportFlags) => (await actions()).exportRoots(flags, context));
}

function addPropose(root: Command, context: CliContext): void {
  withAdmin(root.command('propose'))
    .description('Write the next trust root into a file, to be signed. Nothing happens yet.')
    .requiredOption('-o, --out <file>', 'where to')
    .option('--add <file>', 'a node, as `keys show --json` of it prints it; may be repeated', collect, [])
    .option('--remove <identity>', 'a node that goes; may be repeated', collect, [])
    .option('--rotate <identity=fingerprint>', 'a node with a new link identity; may be repeated', collect, [])
    .option('--move <identity=host:port>', 'a node with a new address; may be repeated', collect, [])
    .option('--add-authorities <identity>', 'an authority more; may be repeated', collect, [])
    .option('--remove-authorities <identity>', 'an authority less; may be repeated', collect, [])
    .option('--threshold <n>', 'authorities that must vouch for a publisher', positive)
    .option('--activate-in <seconds>', 'when it comes into force, at the begin of a slot', positive, 3600)
    .option('--activate-at <time>', 'the same as a moment', moment)
    .addHelpText('after', PROPOSE_HELP)
    .action(async (flags: ProposeFlags) => (await actions()).propose(flags, context));
}

const ROOT_HELP = `
How a node is added: it runs \`init --join\`, somebody proposes, the operators of a quorum of the nodes sign, the new node
signs, anybody publishes. Running nodes take the new root without a restart, and clients walk to it by themselves.

Examples:
  discovery-node root propose --add node-4.json -o next.root
  discovery-node root sign next.root
  discovery-node root publish next.root`;

const PROPOSE_HELP = `
One change at a time: the root before must be in force. To give a node another identity, add and remove in one root.

Examples:
  discovery-node keys show --json > node-4.json               at the new node
  discovery-node root propose --add node-4.json -o next.root
  discovery-node root propose --remove xpx.discovery.node.8f... --activate-in 7200 -o next.root`;

const SIGN_HELP = `
A signature is a promise that outlives restarts: from the moment that the root names, the node signs no directory by an
older root, and it signs no other successor of the root before. Look at the file first: root show FILE.
Exit codes: 1 refused. alreadyPromised: it has signed another successor. notInForce: the root before it is not in force
yet. tooLate: its moment has passed; propose again.

Examples:
  discovery-node root sign next.root
  discovery-node root sign next.root --joining --config new-node/node.yaml`;

const PUBLISH_HELP = `
Exit codes: 1 not enough signatures, or not to be believed.

Examples:
  discovery-node root publish next.root
  discovery-node root publish from-ada.root from-ben.root`;
