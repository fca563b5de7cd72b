import type { Effect, LogWrite } from '../core/effects.js';
import type { LogEntry, MonotonicMs } from '../core/types.js';
import type { Clock, Timer } from '../ports/clock.js';
import type { LogStore, MaybePromise } from '../ports/log-store.js';
import type { StableStore } from '../ports/stable-store.js';
import { isPending, runInOrder } from './maybe-promise.js';

/**
 * So long redactions wait for something that has to be written anyway, mostly the next append. Nobody waits for them, and by
 * themselves they would double the commits of a state machine that redacts with each command.
 */
const REDACTIONS_WAIT_MS: MonotonicMs = 100;

/** A write that the core asked for. */
export type Persist = Extract<Effect, { readonly type: 'persist' }>;

/** How many entries some writes append. */
export function appendedBy(writes: readonly Persist[]): number {
  let entries = 0;
  for (const { log } of writes) for (const write of log) if (write.op === 'append') entries += write.entries.length;
  return entries;
}

/**
 * Carries out the core's writes, one at a time and in order; those that come while one runs become a single write
 * (RAFT.md, section 4, rule 4), and redactions wait a moment for one to go with. After a failure it writes nothing more: an index must not be used twice.
 */
export class StorageLane {
  readonly #logStore: LogStore;
  readonly #stableStore: StableStore;
  readonly #clock: Pick<Clock, 'now' | 'setTimer'>;
  readonly #done: (writes: readonly Persist[], tookMs: MonotonicMs) => void;
  readonly #failed: (error: unknown) => void;
  #queue: Persist[] = [];
  #running: Promise<void> | null = null;
  /** A write runs, or is being reported: what comes in between waits for its turn. */
  #active = false;
  #broken = false;
  /** Runs while all that waits are redactions. */
  #timer: Timer | null = null;
  /** Redactions have waited for long enough. */
  #isDue = false;

  constructor(ports: {
    logStore: LogStore;
    stableStore: StableStore;
    clock: Pick<Clock, 'now' | 'setTimer'>;
    done: (writes: readonly Persist[], tookMs: MonotonicMs) => void;
    failed: (error: unknown) => void;
  }) {
    this.#logStore = ports.logStore;
    this.#stableStore = ports.stableStore;
    this.#clock = ports.clock;
    this.#done = ports.done;
    this.#failed = ports.failed;
  }

  push(persist: Persist): void {
    if (this.#broken) return;
    this.#queue.push(persist);
    if (!this.#active) this.#run();
  }

  /** Resolves when everything is written. To be asked when nothing more comes. */
  async idle(): Promise<void> {
    this.#flush();
    while (this.#running !== null) await this.#running;
  }

  /** Writes all that waits; redactions alone when their time is over. */
  #run(): void {
    this.#active = true;
    while (this.#hasWork()) {
      const writes = this.#queue;
      this.#queue = [];
      this.#stopWaiting();
      const begin = this.#clock.now();
      try {
        const result = this.#write(writes);
        if (isPending(result)) {
          this.#running = result.then(
            () => this.#resume(() => this.#done(writes, this.#clock.now() - begin)),
            (error: unknown) => this.#resume(() => this.#fail(error)),
          );
          return;
        }
      } catch (error) {
        this.#fail(error);
        return;
      }
      this.#done(writes, this.#clock.now() - begin);
    }
    this.#active = false;
    if (this.#queue.length > 0) this.#timer ??= this.#clock.setTimer(REDACTIONS_WAIT_MS, () => this.#flush());
  }

  #hasWork(): boolean {
    return this.#queue.length > 0 && (this.#isDue || !this.#queue.every(isRedaction));
  }

  #flush(): void {
    this.#isDue = true;
    if (!this.#active) this.#run();
  }

  #stopWaiting(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#isDue = false;
  }

  #resume(report: () => void): void {
    this.#running = null;
    report();
    this.#run();
  }

  #fail(error: unknown): void {
    this.#broken = true;
    this.#queue = [];
    this.#stopWaiting();
    this.#failed(error);
  }

  #write(writes: readonly Persist[]): MaybePromise<void> {
    const jobs: (() => MaybePromise<void>)[] = [];
    const hardState = writes.findLast((write) => write.hardState !== null)?.hardState;
    if (hardState) jobs.push(() => this.#stableStore.save(hardState));
    const merged = mergeWrites(writes.flatMap((persist) => persist.log));
    for (const write of merged.writes) jobs.push(() => this.#apply(write));
    const { appended, tombstones } = merged;
    if (appended !== null || tombstones.length > 0) jobs.push(() => this.#finish(appended, tombstones));
    return runInOrder(jobs);
  }

  #finish(appended: readonly LogEntry[] | null, tombstones: readonly LogEntry[]): MaybePromise<void> {
    if (appended === null) return this.#logStore.redact(tombstones);
    if (tombstones.length === 0) return this.#logStore.append(appended);
    return this.#logStore.appendAndRedact(appended, tombstones);
  }

  #apply(write: LogWrite): MaybePromise<void> {
    switch (write.op) {
      case 'append':
        return this.#logStore.append(write.entries);
      case 'truncate':
        return this.#logStore.truncateSuffix(write.from);
      case 'reset':
        return this.#logStore.reset(write.nextIndex);
      case 'compact':
        return this.#logStore.truncatePrefix(write.through);
      case 'redact':
        return this.#logStore.redact(write.tombstones);
    }
  }
}

function isRedaction({ hardState, log, then }: Persist): boolean {
  return hardState === null && then.length === 0 && log.length > 0 && log.every(({ op }) => op === 'redact');
}

/** Writes in order, and what may be written behind them all in one call. */
interface MergedWrites {
  readonly writes: readonly LogWrite[];
  /** The last append, if nothing but redactions came after it. */
  readonly appended: readonly LogEntry[] | null;
  readonly tombstones: readonly LogEntry[];
}

/**
 * Neighbouring appends become one, and so do all redactions, behind the rest: else a state machine that redacts with each
 * command would split the appends into one write each. That is safe, since what is redacted is committed: it is not
 * truncated, and a store skips what a compaction or a reset took before.
 */
function mergeWrites(all: readonly LogWrite[]): MergedWrites {
  const writes: LogWrite[] = [];
  const tombstones: LogEntry[] = [];
  let open: LogEntry[] | null = null;
  const shut = (): void => {
    if (open !== null) writes.push({ op: 'append', entries: open });
    open = null;
  };
  for (const write of all) {
    if (write.op === 'redact') for (const tombstone of write.tombstones) tombstones.push(tombstone);
    else if (write.op === 'append') {
      open ??= [];
      for (const entry of write.entries) open.push(entry);
    } else {
      shut();
      writes.push(write);
    }
  }
  return { writes, appended: open, tombstones };
}
