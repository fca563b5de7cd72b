import { readFileSync } from 'node:fs';
import { mkdir, readFile, rmdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, PRIVATE_FILE, writeNewFile } from '../directory/durable-file.js';
import { NodeError } from '../errors.js';

const FILE = 'lock';
/** Attempts at a lock whose owner is gone: others may try the same at the same time. */
const ATTEMPTS = 5;
/** A guard that is older was left behind: its holder reads one file and removes it. */
const GUARD_STALE_MS = 10_000;

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
  if (!(await isLeftBehind(folder, file))) return;
  // Only one at a time may take a lock away, and it looks again: nothing else replaces or removes a dead owner's file, so
  // what it removes is what it has seen.
  const guard = `${file}.takeover`;
  if (!(await enter(guard))) return;
  try {
    if (await isLeftBehind(folder, file)) await unlink(file);
  } finally {
    await rmdir(guard);
  }
}

/** Whether the lock is there and its owner is gone. @throws NodeError NODE_DATA_LOCKED when it is alive */
async function isLeftBehind(folder: string, file: string): Promise<boolean> {
  const text = await readOrNull(file);
  if (text === null) return false;
  const owner = ownerOf(text);
  if (owner === undefined || !isAlive(owner)) return true;
  const message = `${folder} is used by process ${owner.pid}; stop that first`;
  throw new NodeError('NODE_DATA_LOCKED', message, { folder, pid: owner.pid });
}

/** Makes the guard; false while another process holds it, unless that has died in the few lines between. */
async function enter(guard: string): Promise<boolean> {
  try {
    await mkdir(guard, { mode: 0o700 });
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  const made = await stat(guard).catch(() => null);
  if (made !== null && Date.now() - made.mtimeMs > GUARD_STALE_MS) await rmdir(guard).catch(() => undefined);
  return false;
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
