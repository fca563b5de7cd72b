import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseUsage } from './database.js';

/** Where the copy is written; what a killed process left there is removed at the next opening. */
const COPY_DIRECTORY = 'compacting';

/** Free bytes for which a file is not copied. */
const MIN_FREE_BYTES = 8 << 20;

/** Whether so much of a file is free that it is worth writing what is used anew: more than half, and not little. */
export function worthCopying({ fileBytes, usedBytes }: DatabaseUsage): boolean {
  const freeBytes = fileBytes - usedBytes;
  return freeBytes >= MIN_FREE_BYTES && freeBytes > usedBytes;
}

/** Removes what a copying left that did not come to its end. Only who has the store to itself may call this. */
export function dropUnfinishedCopy(path: string): void {
  rmSync(join(path, COPY_DIRECTORY), { recursive: true, force: true });
}

/**
 * Puts a copy without free pages in the place of a database's file. The copy is on the disk before it takes the name, and the
 * database must be open meanwhile, so that no other process can open the old file, whose writes would be lost; nobody may
 * write to it. It still is the old file afterwards: to be closed, and opened again.
 *
 * @param backup makes a copy without free pages in a directory, under the file's name
 * @throws of the file system; then the old file is in its place
 */
export async function replaceByCopy(
  path: string,
  file: string,
  backup: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = join(path, COPY_DIRECTORY);
  try {
    mkdirSync(directory);
    await backup(directory);
    syncFile(join(directory, file));
    renameSync(join(directory, file), join(path, file));
  } finally {
    dropUnfinishedCopy(path);
  }
}

function syncFile(name: string): void {
  const file = openSync(name, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
