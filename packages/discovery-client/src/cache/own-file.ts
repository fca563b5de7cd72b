import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ClientError, describeFailure } from '../errors.js';

/**
 * Reads a file of this client's own.
 *
 * @returns null when there is none
 * @throws ClientError CLIENT_CACHE_FAILED when there is one that cannot be read, or with more than `maxBytes`
 */
export async function readOwnFile(path: string, maxBytes: number): Promise<Uint8Array | null> {
  let file;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (describeFailure(error).code === 'ENOENT') return null;
    throw new ClientError('CLIENT_CACHE_FAILED', 'the cache file cannot be opened', { path }, error);
  }
  try {
    const { size } = await file.stat();
    if (size > maxBytes) throw new ClientError('CLIENT_CACHE_FAILED', 'the cache file is too large', { path, size });
    const bytes = new Uint8Array(size);
    const { bytesRead } = await file.read(bytes, 0, size, 0);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/**
 * Replaces a file of mode 0600 in one step: a crash leaves the old one or the new one. Durable when it resolves.
 *
 * @throws ClientError CLIENT_CACHE_FAILED
 */
export async function replaceOwnFile(path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path);
  const fresh = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    try {
      const file = await open(fresh, 'wx', 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(fresh, path);
    } catch (error) {
      await rm(fresh, { force: true });
      throw error;
    }
    await syncFolder(folder);
  } catch (error) {
    throw new ClientError('CLIENT_CACHE_FAILED', 'the cache file cannot be written', { path }, error);
  }
}

/** Makes the new name durable; without it a crash could bring the older file back. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
