import type { Command } from 'commander';
import type { AdminResults, ListedItem } from '../../admin/protocol.js';
import { positive, print, wantsColours, withAdmin, withNode, type AdminFlags, type CliContext } from '../context.js';
import { formatStatus } from '../format-status.js';
import { formatSpan, formatTable, shortIdentity } from '../table.js';

interface ListFlags extends AdminFlags {
  readonly identity?: string;
  readonly limit?: number;
}

/** `status`, `list`, `metrics` and `stop`: one running node. */
export function addStatusCommands(program: Command, context: CliContext): void {
  withAdmin(program.command('status'))
    .description('What a running node says of itself.')
    .addHelpText('after', '\nExamples:\n  discovery-node status\n  discovery-node status --json | jq .raft.state')
    .action(async (flags: AdminFlags) => {
      const report = await withNode(flags, context, (client) => client.call('status', {}));
      print(context, flags, report, formatStatus(report));
    });
  withAdmin(program.command('list'))
    .description('The shared list, as this node has applied it.')
    .option('--identity <identity>', 'only this one')
    .option('--limit <n>', 'at most so many records (default: all)', positive)
    .addHelpText('after', '\nExamples:\n  discovery-node list --limit 20\n  discovery-node list --json | jq length')
    .action((flags: ListFlags) => list(flags, context));
  withAdmin(program.command('metrics'))
    .description('Everything that is measured, in the text format of Prometheus.')
    .addHelpText('after', '\nExamples:\n  discovery-node metrics | grep raft_term')
    .action(async (flags: AdminFlags) => {
      const result = await withNode(flags, context, (client) => client.call('metrics', {}));
      print(context, flags, result, result.text);
    });
  withAdmin(program.command('stop'))
    .description('Have a running node hand over and stop, as SIGTERM does.')
    .addHelpText('after', '\nExamples:\n  discovery-node stop')
    .action(async (flags: AdminFlags) => {
      const result = await withNode(flags, context, (client) => client.call('stop', {}));
      print(context, flags, result, 'It is stopping.\n');
    });
}

async function list(flags: ListFlags, context: CliContext): Promise<void> {
  const { limit = Infinity, identity } = flags;
  const items = await withNode(flags, context, async (client) => {
    const all: ListedItem[] = [];
    let after: string | null = null;
    do {
      const page: AdminResults['list'] = await client.call('list', {
        ...(identity === undefined ? {} : { identity }),
        ...(after === null ? {} : { after }),
        limit: Math.min(500, limit - all.length),
      });
      all.push(...page.items);
      after = page.next;
    } while (after !== null && all.length < limit);
    return all.slice(0, limit);
  });
  const now = Date.now() / 1000;
  const rows = items.map(({ identity: of, mode, expiration, attesters, address }) => [
    shortIdentity(of),
    mode,
    expiration > now ? `in ${formatSpan(expiration - now)}` : 'ended',
    String(attesters.length),
    address.join(' '),
  ]);
  const headings = ['identity', 'mode', 'expires', 'attested by', 'address'];
  const table = formatTable(headings, rows, { colours: wantsColours(context), rightAligned: [3] });
  print(context, flags, items, `${table}${items.length} ${items.length === 1 ? 'record' : 'records'}\n`);
}
