import type { DirectoryStore, RootPromise, SignedRound, StoredDirectory } from './ports.js';

/** Directories, and what was promised, for one life of the process. */
export class MemoryDirectoryStore implements DirectoryStore {
  readonly #keep: number;
  #directories: StoredDirectory[] = [];
  #signed: SignedRound | null = null;
  #promise: RootPromise | null = null;

  /** @param keep how many directories to keep, at least 1; default 2, as one takes megabytes */
  constructor(keep = 2) {
    this.#keep = Math.max(1, keep);
  }

  /** The directories that are kept, newest first. */
  get directories(): readonly StoredDirectory[] {
    return this.#directories;
  }

  load(): ReturnType<DirectoryStore['load']> {
    return Promise.resolve({ directory: this.#directories[0] ?? null, signed: this.#signed, promise: this.#promise });
  }

  saveDirectory(directory: StoredDirectory): Promise<void> {
    this.#directories = [directory, ...this.#directories].slice(0, this.#keep);
    return Promise.resolve();
  }

  recordSigned(signed: SignedRound): Promise<void> {
    this.#signed = signed;
    return Promise.resolve();
  }

  recordPromise(promise: RootPromise): Promise<void> {
    this.#promise = promise;
    return Promise.resolve();
  }
}
