import * as nodeFiles from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Logger, SnapshotMeta, SnapshotSink, SnapshotSource, SnapshotStore } from '@discovery-raft/raft-core';
import { readTail, SnapshotFileSource, type SnapshotPlace } from './snapshot-file.js';
import { SnapshotFileSink, writeAll, type SinkEnd } from './snapshot-file-sink.js';
import { encodeTail, type SnapshotTail } from './snapshot-format.js';
import { codeOf, StoreError, storeErrorOf } from './store-error.js';

/** The calls of the file system that the snapshots need; tests put ones that fail in their place. */
export type SnapshotFiles = Pick<typeof nodeFiles, 'open' | 'rename' | 'unlink' | 'readdir' | 'mkdir'>;

/** A finished snapshot. */
const FINISHED = '.snapshot';
/** One that is being written, or was when the process died. */
const PARTIAL = '.partial';

/** What {@link FileSnapshotStore.open} needs. */
export interface FileSnapshotOptions {
  /** Directory of the whole store, for messages. */
  readonly path: string;
  /** Directory of the snapshots; made when it is not there. */
  readonly directory: string;
  /** How many finished snapshots are kept, at least 1. */
  readonly retain: number;
  readonly logger: Logger;
  readonly files?: SnapshotFiles;
  readonly onClose: () => Promise<void>;
}

/**
 * Snapshots as files: a name ending in `.partial` while one is written, which is renamed when all of it is on the disk.
 * A write that fails drops that snapshot and does no harm to the log.
 */
export class FileSnapshotStore implements SnapshotStore {
  readonly #options: FileSnapshotOptions;
  readonly #files: SnapshotFiles;
  /** Newest first. */
  #finished: SnapshotTail[] = [];
  #created = 0;
  /** Snapshots that were closed so far, in this process or before. */
  #closings = 0;
  #closed = false;
  readonly #sinks = new Set<SnapshotFileSink>();

  private constructor(options: FileSnapshotOptions) {
    this.#options = options;
    this.#files = options.files ?? nodeFiles;
  }

  /** Takes away what was never finished, and checks head and tail of the rest. @throws StoreError `corrupt`, `io` */
  static async open(options: FileSnapshotOptions): Promise<FileSnapshotStore> {
    const store = new FileSnapshotStore(options);
    try {
      await store.#load();
    } catch (error) {
      throw store.#errorOf('opening the snapshots', error);
    }
    return store;
  }

  list(): readonly SnapshotMeta[] {
    return this.#finished.map(({ meta }) => meta);
  }

  /** @throws StoreError `full`, `io`, `closed` */
  async create(head: Omit<SnapshotMeta, 'id' | 'size'>): Promise<SnapshotSink> {
    this.#checkOpen();
    const id = `${head.term}-${head.index}-${++this.#created}`;
    const partial = this.#pathOf(id + PARTIAL);
    const file = await this.#guard('creating a snapshot', () => this.#files.open(partial, 'wx', 0o600));
    const end: SinkEnd = {
      finish: (handle, size) => this.#finish(handle, { ...head, id, size }),
      ended: (sink) => void this.#sinks.delete(sink),
      drop: (handle) => this.#drop(handle, id),
      errorOf: (error) => this.#errorOf('writing a snapshot', error, id + PARTIAL),
      closedError: () => this.#closedError(`snapshot ${id} is closed`),
    };
    const sink = await SnapshotFileSink.begin(id, file, end);
    if (this.#closed) {
      await sink.cancel();
      this.#checkOpen();
    }
    this.#sinks.add(sink);
    return sink;
  }

  /** @throws StoreError `missing`, `io`, `closed` */
  async open(id: string): Promise<SnapshotSource> {
    this.#checkOpen();
    const tail = this.#finished.find(({ meta }) => meta.id === id);
    if (tail === undefined) {
      throw new StoreError(`there is no snapshot ${id}`, {
        failure: 'missing',
        path: this.#options.path,
        part: 'snapshot',
      });
    }
    const place = this.#placeOf(id + FINISHED);
    const file = await this.#guard('opening a snapshot', () => this.#files.open(this.#pathOf(id + FINISHED), 'r'));
    return new SnapshotFileSource(file, tail.meta, place);
  }

  /** Reads every chunk of every snapshot. @throws StoreError `corrupt`, `io` */
  async verify(): Promise<void> {
    for (const { id, size } of this.list()) {
      const source = await this.open(id);
      try {
        for (let offset = 0; offset < size;) offset += (await source.read(offset, 1 << 20)).length;
      } finally {
        await source.close();
      }
    }
  }

  /** Drops what is being written, and takes no further call. Whoever reads a snapshot closes that himself. */
  async dropUnfinished(): Promise<void> {
    this.#closed = true;
    for (const sink of this.#sinks) await sink.cancel();
  }

  async close(): Promise<void> {
    await this.dropUnfinished();
    await this.#options.onClose();
  }

  async #load(): Promise<void> {
    const { directory } = this.#options;
    const created = (await this.#files.mkdir(directory, { recursive: true })) !== undefined;
    if (created) await this.#syncDirectory(dirname(directory));
    for (const name of await this.#files.readdir(directory)) {
      const number = Number(/-(\d+)\.\w+$/.exec(name)?.[1] ?? 0);
      if (name.endsWith(PARTIAL)) {
        await this.#files.unlink(this.#pathOf(name));
        this.#created = Math.max(this.#created, number);
      } else if (name.endsWith(FINISHED)) {
        const file = await this.#files.open(this.#pathOf(name), 'r');
        try {
          this.#add(await readTail(file, this.#placeOf(name)));
        } finally {
          await file.close();
        }
        this.#created = Math.max(this.#created, number);
      }
    }
    await this.#retire();
  }

  async #finish(file: FileHandle, meta: SnapshotMeta): Promise<SnapshotMeta> {
    const tail: SnapshotTail = { meta, closed: ++this.#closings };
    await writeAll(file, encodeTail(tail));
    await file.sync();
    await file.close();
    await this.#files.rename(this.#pathOf(meta.id + PARTIAL), this.#pathOf(meta.id + FINISHED));
    await this.#syncDirectory(this.#options.directory);
    this.#add(tail);
    await this.#retire();
    return meta;
  }

  async #drop(file: FileHandle, id: string): Promise<void> {
    // Closed already when the renaming failed.
    await file.close().catch(() => undefined);
    for (const name of [id + PARTIAL, id + FINISHED]) {
      await this.#files.unlink(this.#pathOf(name)).catch((error: unknown) => {
        if (codeOf(error) !== 'ENOENT')
          this.#options.logger.warn('a dropped snapshot could not be removed', { name, error });
      });
    }
  }

  #add(tail: SnapshotTail): void {
    this.#finished.push(tail);
    this.#finished.sort((a, b) => b.meta.index - a.meta.index || b.meta.term - a.meta.term || b.closed - a.closed);
    this.#closings = Math.max(this.#closings, tail.closed);
  }

  /** Removes what is more than is to be kept. Whoever has one of them open reads on. */
  async #retire(): Promise<void> {
    for (const { meta } of this.#finished.splice(this.#options.retain)) {
      const file = meta.id + FINISHED;
      await this.#files.unlink(this.#pathOf(file)).catch((error: unknown) => {
        this.#options.logger.warn('an old snapshot could not be removed', { file, error });
      });
    }
  }

  async #syncDirectory(path: string): Promise<void> {
    if (process.platform === 'win32') return;
    const directory = await this.#files.open(path, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }

  async #guard<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#errorOf(what, error);
    }
  }

  #errorOf(what: string, error: unknown, file?: string): StoreError {
    const { path } = this.#options;
    return storeErrorOf(what, error, { path, part: 'snapshot', ...(file === undefined ? {} : { file }) });
  }

  #checkOpen(): void {
    if (this.#closed) throw this.#closedError('the store is closed');
  }

  #closedError(message: string): StoreError {
    return new StoreError(message, { failure: 'closed', path: this.#options.path, part: 'snapshot' });
  }

  #placeOf(file: string): SnapshotPlace {
    return { path: this.#options.path, file };
  }

  #pathOf(name: string): string {
    return join(this.#options.directory, name);
  }
}
