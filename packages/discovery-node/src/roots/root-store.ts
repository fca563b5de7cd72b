import type { SignedTrustRoot } from '@discovery-raft/protocol';

/** Where the signed roots outlive the process. */
export interface RootStore {
  /** What was saved last; empty when there is nothing. They are verified again by whoever loads them. */
  load(): Promise<readonly SignedTrustRoot[]>;
  /** Replaces all in one step. Durable when it resolves. */
  save(roots: readonly SignedTrustRoot[]): Promise<void>;
}

/** Forgets at the end of the process. */
export class MemoryRootStore implements RootStore {
  #roots: readonly SignedTrustRoot[] = [];

  async load(): Promise<readonly SignedTrustRoot[]> {
    return this.#roots;
  }

  async save(roots: readonly SignedTrustRoot[]): Promise<void> {
    this.#roots = roots;
  }
}
