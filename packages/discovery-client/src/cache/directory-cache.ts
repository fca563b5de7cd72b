import { open } from 'node:fs/promises';
import { ClientError, describeFailure } from '../errors.js';
import { replaceOwnFile } from './own-file.js';
import { CACHE_OVERHEAD_BYTES, decodeCache, encodeCache, type CachedState } from './cache-format.js';

/** What was found on disk. */
export type LoadedCache =
  { readonly found: 'nothing' | 'damaged' } | { readonly found: 'state'; readonly state: CachedState };

/**
 * The newest directory and the mark of it in one file, mode 0600, that one client owns. It is replaced in one step: a
 * crash leaves the old file or the new one.
 */
export class DirectoryCache {
  readonly #path: string;
  readonly #maxDirectoryBytes: number;
  /** Writes go one after the other, so that an older one never lands last. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(path: string, maxDirectoryBytes: number) {
    this.#path = path;
    this.#maxDirectoryBytes = maxDirectoryBytes;
  }

  /**
   * Reads the file. Its signatures are for the caller to verify again: the disk is not to be trusted more than the net.
   *
   * @throws ClientError CLIENT_CACHE_FAILED when there is a file that cannot be read
   */
  async load(): Promise<LoadedCache> {
    let file;
    try {
      file = await open(this.#path, 'r');
    } catch (error) {
      if (describeFailure(error).code === 'ENOENT') return { found: 'nothing' };
      throw new ClientError('CLIENT_CACHE_FAILED', 'the cache file cannot be opened', { path: this.#path }, error);
    }
    try {
      const { size } = await file.stat();
      if (size > this.#maxDirectoryBytes + CACHE_OVERHEAD_BYTES) return { found: 'damaged' };
      const bytes = new Uint8Array(size);
      const { bytesRead } = await file.read(bytes, 0, size, 0);
      const state = bytesRead === size ? decodeCache(bytes) : undefined;
      return state === undefined ? { found: 'damaged' } : { found: 'state', state };
    } catch (error) {
      throw new ClientError('CLIENT_CACHE_FAILED', 'the cache file cannot be read', { path: this.#path }, error);
    } finally {
      await file.close();
    }
  }

  /**
   * Replaces the file; durable when it resolves. A directory over the bound, which signatures that count for nothing can
   * bring about, is left out, or `load` would refuse the mark along with it.
   *
   * @throws ClientError CLIENT_CACHE_FAILED
   */
  save({ seen, directory }: CachedState): Promise<void> {
    const fits = directory !== null && directory.length <= this.#maxDirectoryBytes;
    const bytes = encodeCache({ seen, directory: fits ? directory : null });
    const saved = this.#turn.then(() => replaceOwnFile(this.#path, bytes));
    this.#turn = saved.catch(() => undefined);
    return saved;
  }
}
