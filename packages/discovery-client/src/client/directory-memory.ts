import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { DiscoveryDirectorySchema, type DiscoveryDirectory } from '@discovery-raft/protocol';
import type { Logger } from '@discovery-raft/raft-core';
import type { DirectoryCache } from '../cache/directory-cache.js';
import { compareWithSeen, isBetter, markOf, type SeenMark } from '../directory/seen-mark.js';
import type { RefusedDirectory, VerifiedDirectory } from '../directory/verify-directory.js';
import { describeFailure } from '../errors.js';

/** A directory that was believed, and where it came from. */
export interface HeldDirectory {
  readonly directory: VerifiedDirectory;
  readonly source: string;
  /** The bytes that were judged, as `DiscoveryDirectory`. */
  readonly encoded: Uint8Array;
}

/** What {@link DirectoryMemory} takes. */
export interface DirectoryMemoryOptions {
  readonly verify: (directory: DiscoveryDirectory) => Promise<VerifiedDirectory | RefusedDirectory>;
  /** Resolves when `verify` has all that it needs. */
  readonly before?: () => Promise<void>;
  /** Null for a client that forgets at its end. */
  readonly cache: DirectoryCache | null;
  readonly logger: Logger;
}

/**
 * What a client knows: the newest directory that it believed, and the mark of it, which outlives the directory. Nothing
 * older than the mark comes in, whoever signed it, also after a restart.
 */
export class DirectoryMemory {
  readonly #options: DirectoryMemoryOptions;
  #held: HeldDirectory | null = null;
  #encoded: Uint8Array | null = null;
  #seen: SeenMark | null = null;
  #loading: Promise<void> | undefined;

  constructor(options: DirectoryMemoryOptions) {
    this.#options = options;
  }

  /** The newest directory; it may have expired. */
  get held(): HeldDirectory | null {
    return this.#held;
  }

  get seen(): SeenMark | null {
    return this.#seen;
  }

  /** Reads the cache, once. A cache that is damaged is as none, and said so to the logger. */
  load(): Promise<void> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  async #load(): Promise<void> {
    const { cache, logger, verify, before } = this.#options;
    await before?.();
    if (cache === null) return;
    try {
      const loaded = await cache.load();
      if (loaded.found === 'damaged') logger.warn('the directory cache is damaged and begins anew');
      if (loaded.found !== 'state') return;
      this.#seen = loaded.state.seen;
      const bytes = loaded.state.directory;
      const directory = bytes === null ? undefined : readDirectory(bytes);
      if (bytes === null || directory === undefined) return;
      const verdict = await verify(directory);
      // Expired, or of a quorum that the client's root does not ask for any more: the mark stays.
      if (!verdict.ok) return logger.info('the cached directory is not good any more', { code: verdict.code });
      if (compareWithSeen(verdict, this.#seen) !== 'same')
        return logger.warn('the cached directory is not the one seen');
      this.#held = { directory: verdict, source: 'cache', encoded: bytes };
      this.#encoded = bytes;
    } catch (error) {
      logger.warn('the directory cache cannot be read', { error });
    }
  }

  /** Whether a directory that is good by itself may come in; null when it may. */
  refusal(directory: VerifiedDirectory): RefusedDirectory | null {
    const stands = compareWithSeen(directory, this.#seen);
    if (stands === 'rolledBack') {
      const detail = `it began at ${directory.creation}, and one of ${this.#seen?.creation ?? 0} was seen`;
      return { ok: false, code: 'rolledBack', detail };
    }
    if (stands !== 'conflicting') return null;
    const detail = `another directory of ${directory.creation} was seen`;
    this.#options.logger.error('two directories of one round carry a quorum', { creation: directory.creation });
    return { ok: false, code: 'conflicting', detail };
  }

  /**
   * Takes a directory in, when it is better than what is held, and saves it.
   *
   * @returns why it was refused; null when it was taken, or is what is held already
   */
  async take(raw: DiscoveryDirectory, directory: VerifiedDirectory, source: string): Promise<RefusedDirectory | null> {
    const refused = this.refusal(directory);
    if (refused !== null) return refused;
    if (this.#held !== null && !isBetter(directory, this.#held.directory)) return null;
    // Only what was judged: whatever else came along is not kept.
    const kept = create(DiscoveryDirectorySchema, { directory: raw.directory, signatures: raw.signatures });
    const encoded = toBinary(DiscoveryDirectorySchema, kept, { writeUnknownFields: false });
    this.#held = { directory, source, encoded };
    this.#seen = markOf(directory);
    this.#encoded = encoded;
    await this.#save();
    return null;
  }

  /** Judges the held directory anew, by what is known now; one that is not good any more is forgotten, its mark is not. */
  async verifyAgain(): Promise<void> {
    const held = this.#held;
    const directory = this.#encoded === null ? undefined : readDirectory(this.#encoded);
    if (held === null || directory === undefined) return;
    const verdict = await this.#options.verify(directory);
    if (verdict.ok || this.#held !== held) return;
    this.#options.logger.info('the held directory is not good any more', { code: verdict.code });
    this.#held = null;
  }

  /** Forgets the directory; the mark stays unless `forgetSeen`, or clearing would undo the protection. */
  async clear(forgetSeen: boolean): Promise<void> {
    await this.load();
    this.#held = null;
    this.#encoded = null;
    if (forgetSeen) this.#seen = null;
    await this.#save();
  }

  async #save(): Promise<void> {
    const { cache, logger } = this.#options;
    if (cache === null) return;
    try {
      const seen = this.#seen ?? { creation: 0, fullDigest: new Uint8Array(32) };
      await cache.save({ seen, directory: this.#encoded });
    } catch (error) {
      logger.warn('the directory cannot be cached: after a restart this client may take an older one', {
        ...describeFailure(error),
      });
    }
  }
}

function readDirectory(bytes: Uint8Array): DiscoveryDirectory | undefined {
  try {
    return fromBinary(DiscoveryDirectorySchema, bytes, { readUnknownFields: false });
  } catch {
    return undefined;
  }
}
