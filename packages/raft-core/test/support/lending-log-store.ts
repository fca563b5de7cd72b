import { MemoryLogStore, type LogEntry, type LogIndex } from '../../src/index.js';

/** A log in memory that lends entries and spoils each when its turn is over. */
export class LendingLogStore extends MemoryLogStore {
  /** Walks that were begun, and that were ended. */
  begun = 0;
  ended = 0;
  /** Called before each entry. */
  onLend: (index: LogIndex) => void = () => {};

  *lend(from: LogIndex, to: LogIndex, maxBytes: number): Generator<LogEntry, void> {
    this.begun++;
    try {
      for (const entry of this.read(from, to, maxBytes)) {
        this.onLend(entry.index);
        const data = new Uint8Array(entry.data);
        const extensions = entry.extensions && new Uint8Array(entry.extensions);
        try {
          yield extensions === undefined ? { ...entry, data } : { ...entry, data, extensions };
        } finally {
          data.fill(0xff);
          extensions?.fill(0xff);
        }
      }
    } finally {
      this.ended++;
    }
  }
}
