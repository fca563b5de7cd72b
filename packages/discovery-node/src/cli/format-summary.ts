import type { DemoSummary } from '../demo/run-demo.js';

/** The report of a demonstration: one fact a line, names aligned. */
export function formatSummary(summary: DemoSummary): string {
  const { signatures } = summary;
  const rows: readonly (readonly [string, string])[] = [
    ['nodes', String(summary.nodes)],
    ['items', String(summary.items)],
    [
      'rounds',
      summary.missed === 0 ? String(summary.rounds) : `${summary.rounds}, and ${summary.missed} without a directory`,
    ],
    [
      'signatures',
      signatures.length === 0 ? 'none' : `${signatures[0]} in the first round, ${Math.min(...signatures)} at the least`,
    ],
    ['a round takes', `${summary.roundMs} ms`],
    ['verified', summary.verified ? 'yes' : 'NO'],
    ['failover', `${summary.failoverMs} ms`],
    ...(summary.catchUpMs === null ? [] : [['catch-up after a restart', `${summary.catchUpMs} ms`] as const]),
    ['lost', String(summary.lost)],
    ['wrong', String(summary.wrong)],
    ['as computed offline', `${summary.identical} of ${summary.compared} directories, byte for byte`],
    ['time', `${summary.seconds} s`],
    ['peak memory', `${summary.peakRssMb} MiB`],
    ['on the wire', `${summary.wireBytesPerItem} B an item published`],
    ...(summary.diskBytesPerItem === null
      ? []
      : [['on the disks', `${summary.diskBytesPerItem} B an item listed`] as const]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return `\n${rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')}\n`;
}
