import { stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf, makePrivateFolder, PRIVATE_FILE, syncFolder, writeNewFile } from '../directory/durable-file.js';

/*
 * A cluster is founded once. `init` leaves a mark in the data directory of each node that is to found one; a start that
 * finds the mark and no state founds the cluster and then takes the mark away. A crash in between leaves both, and state
 * counts. Whoever loses the directory loses the mark with it, and so never founds a second cluster by accident.
 */
const FILE = 'found-cluster';

/** Leaves the mark in a data directory, which is made when it is missing. @throws NodeError NODE_EXISTS */
export async function markForBootstrap(dataFolder: string): Promise<void> {
  await makePrivateFolder(dataFolder);
  await writeNewFile(
    join(dataFolder, FILE),
    'The next start founds the cluster and removes this file.\n',
    PRIVATE_FILE,
  );
}

/** Whether the mark is there. */
export async function isMarkedForBootstrap(dataFolder: string): Promise<boolean> {
  try {
    await stat(join(dataFolder, FILE));
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Takes the mark away, durably; nothing to do when there is none. */
export async function clearBootstrapMark(dataFolder: string): Promise<void> {
  try {
    await unlink(join(dataFolder, FILE));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  await syncFolder(dirname(join(dataFolder, FILE)));
}
