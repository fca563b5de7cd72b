import { join } from 'node:path';
import { z } from 'zod';
import { codeOf, PRIVATE_FILE, readBounded, replaceFile } from '../directory/durable-file.js';
import { NodeError } from '../errors.js';

/*
 * A data directory holds what one node has promised: its vote, and the listing that it signed last. Another node that starts
 * on it answers for promises that it has not made, and breaks its own; so does a node whose store is empty where it was not.
 * The file says whose the directory is, and whether its store has held a state.
 */
const FILE = 'owner.json';
const MAX_FILE_BYTES = 4096;

const schema = z.object({ identity: z.string(), hadState: z.boolean() });

/** Who starts, and what it finds in its store. */
export interface DataFacts {
  readonly identity: string;
  readonly hasState: boolean;
}

/** @throws NodeError NODE_DATA_FOREIGN, NODE_DATA_CORRUPT */
export async function checkOwner(dataFolder: string, { identity, hasState }: DataFacts): Promise<void> {
  const owner = await ownerOf(dataFolder);
  if (owner === null) return;
  if (owner.identity !== identity) {
    const advice = 'Set data.directory to the directory of this node; a node without one begins with an empty one';
    throw new NodeError(
      'NODE_DATA_FOREIGN',
      `${dataFolder} belongs to ${owner.identity}, and this node is ${identity}. ${advice}`,
      { dataFolder, owner: owner.identity },
    );
  }
  if (owner.hadState && !hasState) {
    const advice =
      'Bring back what is missing; or treat the node as one whose disk is lost, since it could vote twice: `members remove`, start it with an empty data directory when the present slot has ended, `members add`';
    throw new NodeError('NODE_DATA_CORRUPT', `the store in ${dataFolder} is empty, and it was not before. ${advice}`, {
      dataFolder,
    });
  }
}

/** Leaves the file, when it does not say the same already; on disk when this resolves. */
export async function keepOwner(dataFolder: string, { identity, hasState }: DataFacts): Promise<void> {
  const owner = await ownerOf(dataFolder);
  if (owner?.hadState === hasState || owner?.hadState === true) return;
  const text = `${JSON.stringify({ identity, hadState: hasState })}\n`;
  await replaceFile(join(dataFolder, FILE), text, PRIVATE_FILE);
}

/** What the file says; null when there is none. */
async function ownerOf(dataFolder: string): Promise<z.infer<typeof schema> | null> {
  const file = join(dataFolder, FILE);
  try {
    return schema.parse(JSON.parse((await readBounded(file, MAX_FILE_BYTES)).toString('utf8')));
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return null;
    const advice = 'Make sure that the directory is of this node, then delete the file';
    throw new NodeError('NODE_DATA_CORRUPT', `${file} is damaged. ${advice}`, { file }, cause);
  }
}
