import type {
  DirectoryStore,
  RootPromise,
  SignedRound,
  StoredDirectory,
} from '@discovery-raft/discovery-consensus-fsm';
import type { Dice } from '../../scenario/dice.js';
import type { ProcessClock } from '../../time/process-clock.js';

/** What a node's disk holds of its directories and its promises; it outlives the node's processes. */
export class DirectoryDisk {
  directory: StoredDirectory | null = null;
  signed: SignedRound | null = null;
  promise: RootPromise | null = null;
  /** Chance that a write fails; whether it happened all the same is another matter. */
  failure = 0;
  readonly #dice: Dice;
  readonly #writeMs: number;
  #sessions = 0;

  /** @param writeMs mean time of a write; 0 for none */
  constructor(dice: Dice, writeMs: number) {
    this.#dice = dice;
    this.#writeMs = writeMs;
  }

  /** The disk as one process uses it; what it has under way when it dies has happened or has not. */
  open(clock: ProcessClock): Required<DirectoryStore> & { crash(): void } {
    const session = ++this.#sessions;
    const running = new Set<() => void>();
    const write = (perform: () => void): Promise<void> =>
      new Promise((resolve, reject) => {
        running.add(perform);
        const fails = this.#dice.chance(this.failure);
        clock.setTimer(this.#dice.exponential(this.#writeMs), () => {
          running.delete(perform);
          if (!fails || this.#dice.chance(0.5)) perform();
          if (fails) reject(new Error('injected: a write of the directory store failed'));
          else resolve();
        });
      });
    const mine = (perform: () => void) => (): void => {
      if (session === this.#sessions) perform();
    };
    return {
      load: async () => ({ directory: this.directory, signed: this.signed, promise: this.promise }),
      saveDirectory: (directory) => write(mine(() => (this.directory = directory))),
      recordSigned: (signed) => write(mine(() => (this.signed = signed))),
      recordPromise: (promise) => write(mine(() => (this.promise = promise))),
      crash: () => {
        for (const perform of running) if (this.#dice.chance(0.5)) perform();
        running.clear();
      },
    };
  }
}
