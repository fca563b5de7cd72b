import type { HardState, StableStore } from '@discovery-raft/raft-core';
import { FormatError } from './entry-format.js';
import { HARD_STATE_KEY } from './keys.js';
import { decodeHardState, encodeHardState } from './record-format.js';
import { StoreError } from './store-error.js';
import type { WriteGate } from './write-gate.js';

/** Term and vote in the database; {@link LmdbStore.stableStore}. */
export class LmdbStableStore implements StableStore {
  readonly #gate: WriteGate;
  readonly #onClose: () => Promise<void>;

  constructor(gate: WriteGate, onClose: () => Promise<void>) {
    this.#gate = gate;
    this.#onClose = onClose;
  }

  /** @throws StoreError `corrupt`, `io`, `closed` */
  load(): HardState | null {
    try {
      return this.#gate.read(HARD_STATE_KEY, (bytes) => (bytes === undefined ? null : decodeHardState(bytes)));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      const details = { failure: 'corrupt', path: this.#gate.path, part: 'hard state' } as const;
      throw new StoreError(`term and vote are damaged (${error.message})`, details, error);
    }
  }

  /** @throws StoreError `full`, `io`, `poisoned`, `closed` */
  save(state: HardState): Promise<void> {
    return this.#gate.commit([{ key: HARD_STATE_KEY, value: encodeHardState(state) }]);
  }

  close(): Promise<void> {
    return this.#onClose();
  }
}
