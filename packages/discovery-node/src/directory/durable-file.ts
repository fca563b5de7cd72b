import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, link, mkdir, open, rename, stat, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { NodeError } from '../errors.js';

/** Mode of what only the node's own user may read. */
export const PRIVATE_FILE = 0o600;
/** Mode of what anybody may read. */
export const PUBLIC_FILE = 0o644;
const PRIVATE_FOLDER = 0o700;

/** What is written to a file: in one piece, or in parts that follow one another. */
export type FileContent = string | Uint8Array | readonly Uint8Array[];

/**
 * Makes a folder, and those above it, that only the own user may look into. One that is there stays as it is. New ones are on
 * disk when this resolves: what is durable in a folder must not go with the folder's name.
 */
export async function makePrivateFolder(folder: string): Promise<void> {
  const outermost = await mkdir(folder, { recursive: true, mode: PRIVATE_FOLDER });
  if (outermost === undefined) return;
  // The mask of the process may have taken bits away, never added any; this makes sure of the owner's.
  await chmod(folder, PRIVATE_FOLDER);
  let made = resolve(folder);
  await syncFolder(dirname(made));
  while (made !== resolve(outermost)) {
    made = dirname(made);
    await syncFolder(dirname(made));
  }
}

/**
 * Writes a file that must not exist yet: it appears whole or not at all, and is on disk when this resolves.
 *
 * @throws NodeError NODE_EXISTS
 */
export async function writeNewFile(file: string, content: string | Uint8Array, mode: number): Promise<void> {
  const temporary = await writeTemporary(file, content, mode);
  try {
    // A link, unlike a rename, does not replace what is there.
    await link(temporary, file);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw exists(file);
    throw error;
  } finally {
    await unlink(temporary);
  }
  await syncFolder(dirname(file));
}

/** Replaces a file in one step: who reads it sees the old content or the new. Durable when this resolves. */
export async function replaceFile(file: string, content: FileContent, mode: number): Promise<void> {
  const temporary = await writeTemporary(file, content, mode);
  await rename(temporary, file);
  await syncFolder(dirname(file));
}

/** Makes what happened to the names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Reads a file, or what else gives bytes, as far as a bound: more of them is an error, whatever size the file claims. */
export async function readBounded(file: string, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Leaving the loop closes the file.
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error(`it has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

/**
 * Reads a private file.
 *
 * @throws NodeError NODE_KEYS_UNREADABLE when it is missing, too large, or readable by others
 */
export async function readPrivateFile(file: string, maxBytes = 1 << 20): Promise<string> {
  try {
    const { mode } = await stat(file);
    if ((mode & 0o077) !== 0) throw new Error(`others can read it; run: chmod 600 '${file}'`);
    return (await readBounded(file, maxBytes)).toString('utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new NodeError('NODE_KEYS_UNREADABLE', `${file} cannot be used: ${why}`, { file }, cause);
  }
}

/** @throws NodeError NODE_EXISTS when something has this name */
export async function refuseExisting(path: string): Promise<void> {
  try {
    await stat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  throw exists(path);
}

/** The `code` of an error of the system; undefined for any other. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

function isInParts(content: FileContent): content is readonly Uint8Array[] {
  return Array.isArray(content);
}

async function writeTemporary(file: string, content: FileContent, mode: number): Promise<string> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  const handle = await open(temporary, 'wx', mode);
  try {
    // On a handle each call writes on from where the one before has ended.
    for (const part of isInParts(content) ? content : [content]) await handle.writeFile(part);
    await handle.chmod(mode);
    await handle.sync();
  } catch (error) {
    await unlink(temporary);
    throw error;
  } finally {
    await handle.close();
  }
  return temporary;
}

function exists(path: string): NodeError {
  return new NodeError('NODE_EXISTS', `${path} exists already; nothing was overwritten`, { path });
}
