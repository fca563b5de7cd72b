import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StateDivergence } from '@discovery-raft/discovery-consensus-fsm';
import { codeOf, PRIVATE_FILE, replaceFile } from '../directory/durable-file.js';
import { NodeError } from '../errors.js';

/*
 * A node whose state is not the others' stops and leaves this file. While it is there no start succeeds: a supervisor would
 * start the node again at once, with the same state.
 */
const FILE = 'state-differs.json';

const ADVICE =
  'Its data is as it was: keep a copy, to find out why. If the others are right, take this node out (`members remove`), ' +
  'start it with an empty data directory and add it again. To start it as it is, delete the file';

/** The error that a node ends with whose state is not the others'; its message has both digests. */
export function divergedError(divergence: StateDivergence): NodeError {
  return errorOf(factsOf(divergence));
}

/** Leaves the file, durably. */
export async function markDiverged(dataFolder: string, divergence: StateDivergence): Promise<void> {
  const text = `${JSON.stringify({ ...factsOf(divergence), whatToDo: `${ADVICE}.` }, null, 2)}\n`;
  await replaceFile(join(dataFolder, FILE), text, PRIVATE_FILE);
}

/** @throws NodeError NODE_STATE_DIVERGED when the file is there, whatever is in it */
export async function refuseDiverged(dataFolder: string): Promise<void> {
  const file = join(dataFolder, FILE);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  throw new NodeError(
    'NODE_STATE_DIVERGED',
    `this node stopped because its state is not what the other nodes have, see ${file}. ${ADVICE}`,
    { file, text: text.slice(0, 4096) },
  );
}

interface Facts {
  readonly round: number;
  readonly logIndex: number;
  /** Lower-case hex, as all digests here. */
  readonly ownDigest: string;
  readonly otherDigests: Readonly<Record<string, string>>;
}

function factsOf({ round, index, own, others }: StateDivergence): Facts {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const otherDigests = Object.fromEntries(others.map(({ from, digest }) => [from, hex(digest)]));
  return { round, logIndex: index, ownDigest: hex(own), otherDigests };
}

function errorOf(facts: Facts): NodeError {
  const others = Object.entries(facts.otherDigests).map(([from, digest]) => `${digest} at ${from}`);
  return new NodeError(
    'NODE_STATE_DIVERGED',
    `at log index ${facts.logIndex} the state is ${facts.ownDigest} here, ${others.join(', ')}. ${ADVICE}`,
    { ...facts },
  );
}
