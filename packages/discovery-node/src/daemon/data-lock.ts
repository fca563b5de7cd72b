import { readFileSync } from 'node:fs';
import { readFile, rename, unlink } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { codeOf, PRIVATE_FILE, writeNewFile } from '../directory/durable-file.js';
import { NodeError } from '../errors.js';

const FILE = 'lock';
/** Attempts at a lock whose owner is gone: others may try the same at the same time. */
const ATTEMPTS = 5;

/** That this process alone uses a data directory. */
export interface DataLock {
  /** Idempotent. */
  release(): Promise<void>;
}

interface Owner {
  readonly pid: number;
  /** When the process began, in the system's own words: a later process with the same number differs. */
  readonly began: string;
}

/**
 * Takes the lock of a data directory: a file that names the process. A process that died leaves its file behind; it is
 * recognised by its number and beginning, and taken over.
 *
 * @throws NodeError NODE_DATA_LOCKED
 */
export async function lockData(folder: string): Promise<DataLock> {
  const file = join(folder, FILE);
  const mine = `${JSON.stringify({ pid: process.pid, began: beginningOf(process.pid) ?? '' } satisfies Owner)}\n`;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      await writeNewFile(file, mine, PRIVATE_FILE);
      return releaser(file, mine);
    } catch (error) {
      if (!(error instanceof NodeError && error.code === 'NODE_EXISTS')) throw error;
    }
    await clearAway(folder, file);
  }
  throw new NodeError('NODE_DATA_LOCKED', `${folder}: others take its lock at the same time; try again`, { folder });
}

function releaser(file: string, mine: string): DataLock {
  let released = false;
  return {
    async release() {
      if (released) return;
      released = true;
      if ((await readOrNull(file)) === mine) await unlink(file);
    },
  };
}

/** Removes the lock of a process that is gone. @throws NodeError NODE_DATA_LOCKED when it is alive */
async function clearAway(folder: string, file: string): Promise<void> {
  const text = await readOrNull(file);
  if (text === null) return;
  const owner = ownerOf(text);
  if (owner !== undefined && isAlive(owner)) {
    const message = `${folder} is used by process ${owner.pid}; stop that first`;
    throw new NodeError('NODE_DATA_LOCKED', message, { folder, pid: owner.pid });
  }
  // Moved, then looked at: between the two, somebody else may have made a lock of its own, which must be given back.
  const aside = `${file}.${randomBytes(6).toString('hex')}.stale`;
  try {
    await rename(file, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  if ((await readOrNull(aside)) === text) await unlink(aside);
  else await rename(aside, file);
}

function ownerOf(text: string): Owner | undefined {
  try {
    const { pid, began } = JSON.parse(text) as Partial<Owner>;
    return typeof pid === 'number' && typeof began === 'string' ? { pid, began } : undefined;
  } catch {
    // Nobody's: a lock is written whole or not at all.
    return undefined;
  }
}

function isAlive({ pid, began }: Owner): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
  const now = beginningOf(pid);
  return now === undefined || began === '' || now === began;
}

/** When a process began; undefined where the system has no /proc, and its number must do. */
function beginningOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    // The name of the program, in brackets, may hold anything; the 22nd field is the 20th behind it.
    return `${boot}/${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return undefined;
  }
}

async function readOrNull(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}
