import type { HardState, StableStore } from '../ports/stable-store.js';

/** Term and vote in memory. A node that restarts without them may vote twice: for tests, or one process's life. */
export class MemoryStableStore implements StableStore {
  #state: HardState | null = null;

  load(): HardState | null {
    return this.#state;
  }

  save(state: HardState): void {
    this.#state = { ...state };
  }

  close(): void {}
}
