import type { DirectoryStore, SignedRound, StoredDirectory } from './ports.js';

/** Directories, and the rounds that were signed, for one life of the process. */
export class MemoryDirectoryStore implements DirectoryStore {
  readonly #keep: number;
  #directories: StoredDirectory[] = [];
  #signed: SignedRound | null = null;

  /** @param keep how many directories to keep, at least 1; default 2, as one takes megabytes */
  constructor(keep = 2) {
    this.#keep = Math.max(1, keep);
  }

  /** The directories that are kept, newest first. */
  get directories(): readonly StoredDirectory[] {
    return this.#directories;
  }

  load(): Promise<{ readonly directory: StoredDirectory | null; readonly signed: SignedRound | null }> {
    return Promise.resolve({ directory: this.#directories[0] ?? null, signed: this.#signed });
  }

  saveDirectory(directory: StoredDirectory): Promise<void> {
    this.#directories = [directory, ...this.#directories].slice(0, this.#keep);
    return Promise.resolve();
  }

  recordSigned(signed: SignedRound): Promise<void> {
    this.#signed = signed;
    return Promise.resolve();
  }
}
