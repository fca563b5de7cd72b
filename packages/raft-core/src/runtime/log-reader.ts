import type { RaftCore } from '../core/core.js';
import type { Effect } from '../core/effects.js';
import type { Input } from '../core/inputs.js';
import type { LogEntry, LogIndex } from '../core/types.js';
import type { LogStore, MaybePromise } from '../ports/log-store.js';
import type { Logger } from '../ports/logger.js';
import type { StateMachine } from '../ports/state-machine.js';
import { isPending } from './maybe-promise.js';
import { storeCall, storeWalk } from './store-call.js';

/** Committed entries from an index to at most another; each is used until the next one is asked for. */
type ReadEntries = (from: LogIndex, to: LogIndex, maxBytes: number) => MaybePromise<Iterable<LogEntry>>;
type ReadLog = Extract<Effect, { readonly type: 'readLog' }>;

/** Reads entries wherever they are: recent ones from the core's memory, older ones from the store. */
export class LogReader {
  readonly #store: LogStore;
  readonly #core: () => RaftCore;
  readonly #logger: Logger;

  constructor(store: LogStore, core: () => RaftCore, logger: Logger) {
    this.#store = store;
    this.#core = core;
    this.#logger = logger;
  }

  /** Entries from `from` to at most `to`; at least one. @throws RaftError RAFT_STORE_FAILED, RAFT_STORE_CORRUPT */
  read(from: LogIndex, to: LogIndex, maxBytes: number): MaybePromise<readonly LogEntry[]> {
    const core = this.#core();
    // What is not in memory any more is in the store.
    return core.entries(from, to, maxBytes) ?? this.readStored(from, Math.min(to, core.stableIndex), maxBytes);
  }

  /** Reads what a state machine applies: entries that are lent, where it keeps none of their bytes. */
  forApplying({ keepsNoBytes }: Pick<StateMachine, 'keepsNoBytes'>): ReadEntries {
    return (from, to, maxBytes) =>
      keepsNoBytes === true ? this.#lend(from, to, maxBytes) : this.read(from, to, maxBytes);
  }

  /** {@link read} for who keeps no bytes of an entry longer than its turn lasts; the store's errors come while it is walked through. */
  #lend(from: LogIndex, to: LogIndex, maxBytes: number): MaybePromise<Iterable<LogEntry>> {
    const core = this.#core();
    const recent = core.entries(from, to, maxBytes);
    if (recent !== undefined) return recent;
    const end = Math.min(to, core.stableIndex);
    if (this.#store.lend === undefined) return this.readStored(from, end, maxBytes);
    return storeWalk('reading the log', () => this.#store.lend!(from, end, maxBytes));
  }

  /** {@link read} from the store alone. */
  readStored(from: LogIndex, to: LogIndex, maxBytes: number): MaybePromise<readonly LogEntry[]> {
    return storeCall('reading the log', () => this.#store.read(from, to, maxBytes));
  }

  /** Reads what the core wants to send to a follower, from the store alone; what comes of it is an input for the core. */
  readFor({ peerId, epoch, from, to, maxBytes }: ReadLog, feed: (input: Input) => void): void {
    const done = (entries: readonly LogEntry[]): void => feed({ type: 'logRead', peerId, epoch, entries });
    const failed = (error: unknown): void => {
      this.#logger.warn('the log could not be read for a follower', { peerId, from, to, error });
      feed({ type: 'logReadFailed', peerId, epoch });
    };
    Promise.resolve()
      .then(() => this.readStored(from, to, maxBytes))
      .then(done, failed);
  }

  /** One entry; undefined when it is compacted. */
  readOne(index: LogIndex): MaybePromise<LogEntry | undefined> {
    const core = this.#core();
    const [cached] = core.entries(index, index, 1) ?? [];
    if (cached !== undefined) return cached;
    const { firstIndex, lastIndex } = this.#store;
    if (index < core.firstIndex || index < firstIndex || index > lastIndex) return undefined;
    const read = this.readStored(index, index, 1);
    if (!isPending(read)) return read[0];
    return read.then(
      (entries) => entries[0],
      (error: unknown) => {
        // Compaction may have taken it while it was being read.
        if (index < this.#store.firstIndex) return undefined;
        throw error;
      },
    );
  }
}
