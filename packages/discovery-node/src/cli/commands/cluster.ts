import { Option, type Command } from 'commander';
import type { RoundReport } from '../../admin/protocol.js';
import {
  moment,
  print,
  waitSeconds,
  wantsColours,
  withAdmin,
  withNode,
  type AdminFlags,
  type CliContext,
} from '../context.js';
import { EXIT } from '../exit-codes.js';
import { count, formatSpan, formatTable, formatTime, shortIdentity } from '../table.js';

interface TimedFlags extends AdminFlags {
  readonly timeout: number;
}

/** What goes wrong here is mostly that the node does not lead. */
const LEADER = 'Ask the leader: `discovery-node status` says who that is.';

/** `round`, `transfer`, `snapshot`, `members` and `clock`: what acts on the cluster. */
export function addClusterCommands(program: Command, context: CliContext): void {
  addRound(program, context);
  timed(program.command('transfer [identity]'))
    .description(`Have the leader hand over, to a given node or the one that is furthest. ${LEADER}`)
    .addHelpText(
      'after',
      '\nExamples:\n  discovery-node transfer\n  discovery-node transfer xpx.discovery.node.8f... --timeout 10',
    )
    .action(async (target: string | undefined, flags: TimedFlags) => {
      const timeoutMs = flags.timeout * 1000;
      const params = { timeoutMs, ...(target === undefined ? {} : { target }) };
      const result = await withNode(flags, context, (client) => client.call('transfer', params));
      print(context, flags, result, `The leader is ${result.leaderId ?? 'not known yet'}.\n`);
    });
  withAdmin(program.command('snapshot'))
    .description('Take a snapshot of the list now, and let the log go that it covers.')
    .addHelpText('after', '\nExamples:\n  discovery-node snapshot')
    .action(async (flags: AdminFlags) => {
      const result = await withNode(flags, context, (client) => client.call('snapshot', {}), 300_000);
      print(context, flags, result, `Snapshot ${result.id} up to entry ${result.index}, ${result.bytes} bytes.\n`);
    });
  addMembers(program, context);
  addClock(program, context);
}

interface RoundFlags extends TimedFlags {
  readonly now?: true;
  readonly next?: true;
}

function addRound(program: Command, context: CliContext): void {
  timed(program.command('round'))
    .description('How the last round ended, and when the next one begins.')
    .option('--next', 'wait for the next one to end at this node')
    .addOption(new Option('--now', `begin the round of the present slot, if it had none. ${LEADER}`).conflicts('next'))
    .addHelpText('after', ROUND_HELP)
    .action((flags: RoundFlags) => round(flags, context));
}

const ROUND_HELP = `
Rounds begin by themselves, with their slots. Voters agree to one only within consensus.clockToleranceSeconds after the
begin of its slot, so --now helps in those seconds alone.
Exit codes: 1 when no directory came of it.

Examples:
  discovery-node round
  discovery-node round --next --timeout 1000`;

async function round(flags: RoundFlags, context: CliContext): Promise<void> {
  if (flags.now !== true && flags.next !== true) {
    const { rounds, now } = await withNode(flags, context, (client) => client.call('status', {}));
    const next = `The next begins in ${formatSpan(rounds.nextAt - now)}.\n`;
    return print(context, flags, rounds, (rounds.last === null ? '' : roundText(rounds.last)) + next);
  }
  const params = { begin: flags.now === true, timeoutMs: flags.timeout * 1000 };
  const { ended } = await withNode(flags, context, (client) => client.call('round', params));
  if (ended === null) return;
  print(context, flags, ended, roundText(ended));
  if (!ended.published) context.exit(EXIT.lostOrWrong);
}

function roundText({ round: number, published, items, signatures, reason }: RoundReport): string {
  if (published) return `Round ${number}: ${count(items, 'item')}, ${count(signatures, 'signature')}.\n`;
  return `Round ${number} gave no directory: ${reason}.\n`;
}

function addMembers(program: Command, context: CliContext): void {
  const members = program.command('members').description('The servers of the Raft configuration.');
  withAdmin(members.command('list', { isDefault: true }))
    .description('Who belongs to the cluster, as this node knows it.')
    .addHelpText('after', '\nExamples:\n  discovery-node members list')
    .action(async (flags: AdminFlags) => {
      const result = await withNode(flags, context, (client) => client.call('members.list', {}));
      const rows = result.servers.map(({ id, suffrage, address }) => [
        id,
        suffrage,
        address ?? 'not in the configuration',
      ]);
      const table = formatTable(['identity', 'suffrage', 'address'], rows, { colours: wantsColours(context) });
      print(context, flags, result, table);
    });
  const changes = [
    ['add', 'Add a server that receives the log; with --voter it votes as soon as it has caught up.', 'was added'],
    ['remove', 'Remove a server.', 'was removed'],
    ['promote', 'Give a server a vote, once it has caught up.', 'votes'],
    ['demote', 'Take the vote from a server, which goes on receiving the log.', 'votes no more'],
  ] as const;
  for (const [name, description, done] of changes) {
    const command = timed(members.command(`${name} <identity>`)).description(`${description} ${LEADER}`);
    if (name === 'add') command.option('--voter', 'give it a vote');
    command
      .addHelpText('after', `\nExamples:\n  discovery-node members ${name} xpx.discovery.node.8f...`)
      .action(async (identity: string, flags: TimedFlags & { readonly voter?: true }) => {
        const timeoutMs = flags.timeout * 1000;
        const result = await withNode(flags, context, (client) =>
          name === 'add'
            ? client.call('members.add', { identity, voter: flags.voter === true, timeoutMs })
            : client.call(`members.${name}`, { identity, timeoutMs }),
        );
        print(context, flags, result, `${shortIdentity(identity)} ${done}, by entry ${result.index}.\n`);
      });
  }
}

function addClock(program: Command, context: CliContext): void {
  const clock = program.command('clock').description('The time of day of a node; only for demonstrations and tests.');
  withAdmin(clock.command('get', { isDefault: true }))
    .description('What time it is to the node.')
    .addHelpText('after', '\nExamples:\n  discovery-node clock get')
    .action(async (flags: AdminFlags) => {
      const result = await withNode(flags, context, (client) => client.call('clock.get', {}));
      const kind = result.manual ? 'moves by command only' : 'real time';
      print(context, flags, result, `${formatTime(result.unixSeconds)} (${kind})\n`);
    });
  withAdmin(clock.command('set'))
    .argument('<time>', 'Unix seconds, or a date', moment)
    .description('Move the time of a node that was started with --manual-clock forward; any other node refuses.')
    .addHelpText('after', '\nExamples:\n  discovery-node clock set 2026-01-31T12:00:00Z')
    .action(async (unixSeconds: number, flags: AdminFlags) => {
      const result = await withNode(flags, context, (client) => client.call('clock.set', { unixSeconds }));
      print(context, flags, result, `${formatTime(result.unixSeconds)}\n`);
    });
}

function timed(command: Command): Command {
  return withAdmin(command).option('--timeout <seconds>', 'how long it may take', waitSeconds, 30);
}
