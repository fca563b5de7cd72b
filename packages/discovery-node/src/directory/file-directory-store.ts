import { createHash, hash } from 'node:crypto';
import { open, readdir, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fromBinary } from '@bufbuild/protobuf';
import type {
  DirectoryStore,
  RootPromise,
  SignedRound,
  StoredDirectory,
} from '@discovery-raft/discovery-consensus-fsm';
import { DiscoveryDirectorySchema } from '@discovery-raft/protocol';
import { silentLogger, type Logger } from '@discovery-raft/raft-core';
import { NodeError } from '../errors.js';
import { codeOf, makePrivateFolder, PRIVATE_FILE, replaceFile } from './durable-file.js';
import { encodedParts } from './encoded-parts.js';

/*
 * Every file is: magic 8 | SHA-256 of what follows 32 | content. A file is written beside its name, synced and renamed, so
 * a crash leaves the old content or the new. The checksum is for disks that break that promise.
 *
 *   directory-ROUND.bin  content: round 8 | creation 8 | expiration 8 | items 4 | digest 32 | DiscoveryDirectory
 *   signed-round.bin     content: round 8 | digest 32
 *   root-promise.bin     content: version 8 | activation 8 | digest 32
 */
const MAGIC = Buffer.from('DRSTORE1', 'latin1');
const CHECKSUM_BYTES = 32;
const HEADER_BYTES = 28 + 32;
/** Bytes that are hashed between two turns of everything else: a few milliseconds' work. */
const HASHED_AT_ONCE_BYTES = 8 * 1024 * 1024;
const SIGNED_FILE = 'signed-round.bin';
const PROMISE_FILE = 'root-promise.bin';
const DIRECTORY_FILE = /^directory-(\d{1,15})\.bin$/;
/** What a crash in the middle of a write may leave; see `replaceFile`. */
const TEMPORARY_FILE = /\.[0-9a-f]{12}\.tmp$/;

/** Options of {@link FileDirectoryStore.open}. */
export interface FileDirectoryStoreOptions {
  /** Folder of its own; made when it is missing. */
  readonly folder: string;
  /** How many directories to keep, from 1. Default 3. */
  readonly keep?: number;
  /** Bytes of one file that are read at most. Default 256 MiB. */
  readonly maxFileBytes?: number;
  readonly logger?: Logger;
}

/**
 * The last directories, the promise to sign one listing a round, and the one that a signature on a trust root is, in files.
 * What they are given is on disk when `saveDirectory`, `recordSigned` and `recordPromise` resolve. One process at a time.
 */
export class FileDirectoryStore implements DirectoryStore {
  readonly #folder: string;
  readonly #keep: number;
  readonly #maxFileBytes: number;
  readonly #logger: Logger;

  private constructor(options: FileDirectoryStoreOptions) {
    this.#folder = options.folder;
    this.#keep = Math.max(1, options.keep ?? 3);
    this.#maxFileBytes = options.maxFileBytes ?? 256 * 1024 * 1024;
    this.#logger = options.logger ?? silentLogger;
  }

  /** Opens the folder, and clears away what a crash in the middle of a write left. */
  static async open(options: FileDirectoryStoreOptions): Promise<FileDirectoryStore> {
    await makePrivateFolder(options.folder);
    for (const name of await readdir(options.folder)) {
      if (TEMPORARY_FILE.test(name)) await unlink(join(options.folder, name));
    }
    return new FileDirectoryStore(options);
  }

  /**
   * The newest directory that is whole, and the last promises. A damaged directory is passed over: peers have newer ones.
   *
   * @throws NodeError NODE_DATA_CORRUPT when a promise is damaged, since a node that forgets it could sign twice
   */
  async load(): Promise<{
    readonly directory: StoredDirectory | null;
    readonly signed: SignedRound | null;
    readonly promise: RootPromise | null;
  }> {
    const signed = await this.#loadSigned();
    const promise = await this.#loadPromise();
    for (const round of await this.#rounds()) {
      const directory = await this.#loadDirectory(round);
      if (directory !== null) return { directory, signed, promise };
    }
    return { directory: null, signed, promise };
  }

  async saveDirectory(stored: StoredDirectory): Promise<void> {
    const header = Buffer.alloc(28);
    header.writeBigUInt64BE(BigInt(stored.round), 0);
    header.writeBigUInt64BE(BigInt(stored.creation), 8);
    header.writeBigUInt64BE(BigInt(stored.expiration), 16);
    header.writeUInt32BE(stored.items, 24);
    const content = [header, stored.digest, ...encodedParts(stored.directory)];
    await replaceFile(this.#fileOf(stored.round), await sealed(content), PRIVATE_FILE);
    for (const round of (await this.#rounds()).slice(this.#keep)) await unlink(this.#fileOf(round));
  }

  async recordSigned({ round, digest }: SignedRound): Promise<void> {
    const number = Buffer.alloc(8);
    number.writeBigUInt64BE(BigInt(round));
    await replaceFile(join(this.#folder, SIGNED_FILE), await sealed([number, digest]), PRIVATE_FILE);
  }

  async recordPromise({ version, activation, digest }: RootPromise): Promise<void> {
    const numbers = Buffer.alloc(16);
    numbers.writeBigUInt64BE(BigInt(version));
    numbers.writeBigUInt64BE(BigInt(activation), 8);
    await replaceFile(join(this.#folder, PROMISE_FILE), await sealed([numbers, digest]), PRIVATE_FILE);
  }

  /** Rounds whose directories are here, the newest first. */
  async #rounds(): Promise<readonly number[]> {
    const names = await readdir(this.#folder);
    const rounds = names.flatMap((name) => DIRECTORY_FILE.exec(name)?.[1] ?? []).map(Number);
    return rounds.sort((a, b) => b - a);
  }

  #fileOf(round: number): string {
    return join(this.#folder, `directory-${round}.bin`);
  }

  async #loadDirectory(round: number): Promise<StoredDirectory | null> {
    const file = this.#fileOf(round);
    try {
      const content = await this.#read(file);
      if (content === null || content.length < HEADER_BYTES) throw new Error('it is too short');
      const stored: StoredDirectory = {
        round: Number(content.readBigUInt64BE(0)),
        creation: Number(content.readBigUInt64BE(8)),
        expiration: Number(content.readBigUInt64BE(16)),
        items: content.readUInt32BE(24),
        digest: new Uint8Array(content.subarray(28, HEADER_BYTES)),
        directory: fromBinary(DiscoveryDirectorySchema, content.subarray(HEADER_BYTES)),
      };
      if (stored.round !== round) throw new Error(`it is of round ${stored.round}`);
      // That the listing is the one of the digest was so when both were written, and the checksum says that they still are.
      return stored;
    } catch (error) {
      this.#logger.warn('a stored directory is damaged and is passed over', { file, error });
      return null;
    }
  }

  async #loadSigned(): Promise<SignedRound | null> {
    const file = join(this.#folder, SIGNED_FILE);
    try {
      const content = await this.#read(file);
      if (content === null) return null;
      if (content.length !== 40) throw new Error(`it holds ${content.length} bytes`);
      return { round: Number(content.readBigUInt64BE(0)), digest: new Uint8Array(content.subarray(8)) };
    } catch (cause) {
      const advice =
        'Without it this node could sign twice: wait until the present slot has ended, then delete the file';
      throw new NodeError('NODE_DATA_CORRUPT', `${file} is damaged. ${advice}`, { file }, cause);
    }
  }

  async #loadPromise(): Promise<RootPromise | null> {
    const file = join(this.#folder, PROMISE_FILE);
    try {
      const content = await this.#read(file);
      if (content === null) return null;
      if (content.length !== 48) throw new Error(`it holds ${content.length} bytes`);
      return {
        version: Number(content.readBigUInt64BE(0)),
        activation: Number(content.readBigUInt64BE(8)),
        digest: new Uint8Array(content.subarray(16)),
      };
    } catch (cause) {
      const advice =
        'Without it this node could break its word: make sure that it has the newest trust root (`root show` of another node), or that nobody will publish the one that it signed, then delete the file';
      throw new NodeError('NODE_DATA_CORRUPT', `${file} is damaged. ${advice}`, { file }, cause);
    }
  }

  /** All of a file; null when there is none. */
  async #bytesOf(file: string): Promise<Buffer | null> {
    let handle: FileHandle;
    try {
      handle = await open(file, 'r');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return null;
      throw error;
    }
    try {
      const { size } = await handle.stat();
      if (size > this.#maxFileBytes) throw new Error(`it has more than ${this.#maxFileBytes} bytes`);
      return await fill(handle, Buffer.allocUnsafeSlow(size));
    } finally {
      await handle.close();
    }
  }

  /** The content of a file; null when there is none. Throws for one that is damaged. */
  async #read(file: string): Promise<Buffer | null> {
    const bytes = await this.#bytesOf(file);
    if (bytes === null) return null;
    const begin = MAGIC.length + CHECKSUM_BYTES;
    if (bytes.length < begin || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error('it is none of ours');
    const content = bytes.subarray(begin);
    if (!hash('sha256', content, 'buffer').equals(bytes.subarray(MAGIC.length, begin))) {
      throw new Error('its checksum does not fit');
    }
    return content;
  }
}

/** Reads as much of a file as fills a buffer, asking for all at once: `readFile` comes back for each half of a megabyte. */
async function fill(handle: FileHandle, bytes: Buffer): Promise<Buffer> {
  let at = 0;
  while (at < bytes.length) {
    const { bytesRead } = await handle.read(bytes, at, bytes.length - at, at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}

/** The parts of a file. Nothing is copied, and a directory of many megabytes is hashed a piece at a time. */
async function sealed(parts: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
  const checksum = createHash('sha256');
  for (const part of parts) {
    for (let at = 0; at < part.length; at += HASHED_AT_ONCE_BYTES) {
      if (at > 0) await setImmediate();
      checksum.update(part.subarray(at, at + HASHED_AT_ONCE_BYTES));
    }
  }
  return [MAGIC, checksum.digest(), ...parts];
}
