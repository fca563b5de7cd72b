import { rename, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { VerdictPeriod } from '@discovery-raft/discovery-consensus-fsm';
import { silentLogger, type Logger } from '@discovery-raft/raft-core';
import { makePrivateFolder } from '../directory/durable-file.js';
import { DigestTable, ENTRY_BYTES, writeEntry } from './digest-table.js';
import { blockOf, EMPTY_FILE_BYTES, openVerdicts, readVerdicts } from './verdict-file.js';

/** Options of {@link VerdictMemory.open}. */
export interface VerdictMemoryOptions {
  /** Folder of its own; made when it is missing. */
  readonly folder: string;
  /** Bytes of each of two files. Default 64 MiB: 1.5 million verdicts. */
  readonly maxFileBytes?: number;
  /** After so long a new file is begun, and what was not of use since the one before is forgotten. Default 13 hours. */
  readonly generationSeconds?: number;
  readonly logger?: Logger;
}

/** How long verdicts wait in memory to be written together. */
const FLUSH_MS = 1000;
/** What waits in memory at most. */
const FLUSH_BYTES = ENTRY_BYTES * 4096;
const NEW_FILE = 'verdicts-new.bin';
const OLD_FILE = 'verdicts-old.bin';

/**
 * Good verdicts of this node, by digest, beyond its process: what was verified once need not be when the node starts again.
 * Trusted as the node's own data is; it holds neither keys nor what was verified. Losing it costs time and nothing else, so
 * whatever is damaged is passed over, and a file that cannot be written is given up.
 *
 * Two files: verdicts go into the new one, which becomes the old one when it is old or full. What is recalled from the old
 * one goes into the new one too, so both stay bounded, and what is listed stays.
 */
export class VerdictMemory {
  readonly #options: Required<VerdictMemoryOptions>;
  readonly #old: DigestTable;
  readonly #new: DigestTable;
  #pending: Buffer = Buffer.alloc(FLUSH_BYTES);
  #pendingBytes = 0;
  /** Undefined when it cannot be written. */
  #handle: FileHandle | undefined;
  #fileBytes: number;
  #begunAt = performance.now();
  #timer: NodeJS.Timeout | undefined;
  /** Writes go one after the other. */
  #turn: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(
    options: Required<VerdictMemoryOptions>,
    read: { old: DigestTable; new: DigestTable; handle: FileHandle; fileBytes: number },
  ) {
    this.#options = options;
    this.#old = read.old;
    this.#new = read.new;
    this.#handle = read.handle;
    this.#fileBytes = read.fileBytes;
  }

  /** Reads what is there. @throws errors of the system */
  static async open(input: VerdictMemoryOptions): Promise<VerdictMemory> {
    const options = { maxFileBytes: 64 * 1024 * 1024, generationSeconds: 13 * 3600, logger: silentLogger, ...input };
    const { folder } = options;
    await makePrivateFolder(folder);
    // A file may end with a block that was written when it was just below its limit.
    const maxBytes = options.maxFileBytes + 2 * FLUSH_BYTES;
    const [older, newer] = await Promise.all(
      [OLD_FILE, NEW_FILE].map((name) => readVerdicts(join(folder, name), maxBytes)),
    );
    const handle = await openVerdicts(join(folder, NEW_FILE), newer!.goodBytes);
    return new VerdictMemory(options, {
      old: new DigestTable(older!.blocks),
      new: new DigestTable(newer!.blocks),
      handle,
      fileBytes: Math.max(EMPTY_FILE_BYTES, newer!.goodBytes),
    });
  }

  /** Verdicts that were read when it was opened. */
  get size(): number {
    return this.#old.size + this.#new.size;
  }

  /** The period of a verdict that was noted before this memory was opened. */
  recall(digest: Uint8Array): VerdictPeriod | undefined {
    const fresh = this.#new.find(digest);
    if (fresh !== undefined) return fresh;
    const old = this.#old.find(digest);
    if (old !== undefined) this.note(digest, old);
    return old;
  }

  /** Remembers a good verdict. It is written soon, and lost when the process is killed before. */
  note(digest: Uint8Array, period: VerdictPeriod): void {
    if (this.#closed || this.#handle === undefined) return;
    writeEntry(this.#pending, this.#pendingBytes, digest, period);
    this.#pendingBytes += ENTRY_BYTES;
    if (this.#pendingBytes === FLUSH_BYTES) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref();
  }

  /** Resolves when all that was noted is written. Never rejects. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#pendingBytes > 0) {
      const block = blockOf(this.#pending.subarray(0, this.#pendingBytes));
      this.#pending = Buffer.alloc(FLUSH_BYTES);
      this.#pendingBytes = 0;
      this.#turn = this.#turn.then(() => this.#write(block));
    }
    return this.#turn;
  }

  /** Writes what is left, and ends. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #write(block: Buffer): Promise<void> {
    try {
      if (this.#isFull()) await this.#beginAnew();
      await this.#handle?.write(block, 0, block.length, this.#fileBytes);
      this.#fileBytes += block.length;
    } catch (error) {
      this.#options.logger.warn('verdicts cannot be written; a restart will take longer', { error });
      const handle = this.#handle;
      this.#handle = undefined;
      await handle?.close().catch(() => undefined);
    }
  }

  #isFull(): boolean {
    const { maxFileBytes, generationSeconds } = this.#options;
    return this.#fileBytes >= maxFileBytes || performance.now() - this.#begunAt >= generationSeconds * 1000;
  }

  async #beginAnew(): Promise<void> {
    const { folder } = this.#options;
    await this.#handle?.close();
    this.#handle = undefined;
    await rename(join(folder, NEW_FILE), join(folder, OLD_FILE));
    this.#handle = await openVerdicts(join(folder, NEW_FILE), 0);
    this.#fileBytes = EMPTY_FILE_BYTES;
    this.#begunAt = performance.now();
  }
}
