/**
 * A script is a text file of blocks, separated by empty lines: commands, a line of four dashes, and the output that was
 * recorded. Lines that begin with # are remarks.
 */
import { runCommand } from './commands.js';
import { ScenarioCluster } from './scenario-cluster.js';

const OUTPUT = '----';

/** Runs a script on a fresh cluster and returns it with the output of this run in the place of the recorded one. */
export function play(script: string): string {
  const cluster = new ScenarioCluster();
  const blocks = script.trimEnd().split(/\n{2,}/);
  return `${blocks.map((block) => playBlock(cluster, block)).join('\n\n')}\n`;
}

function playBlock(cluster: ScenarioCluster, block: string): string {
  const lines = block.split('\n');
  const end = lines.indexOf(OUTPUT);
  const input = end < 0 ? lines : lines.slice(0, end);
  const commands = input.filter((line) => line !== '' && !line.startsWith('#'));
  if (commands.length === 0) return block;
  const before = cluster.waiting.length;
  const output = commands.flatMap((line) => playLine(cluster, line));
  const { waiting, level } = cluster;
  const news = waiting.length !== before && waiting.length > 0 && level !== 'none';
  if (news) output.push(`(messages under way: ${waiting.length})`);
  return [...input, OUTPUT, ...(output.length > 0 ? output : ['ok'])].join('\n');
}

function playLine(cluster: ScenarioCluster, line: string): readonly string[] {
  try {
    return runCommand(cluster, line);
  } catch (cause) {
    throw new Error(`at "${line}": ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
