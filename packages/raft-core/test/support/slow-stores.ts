import type {
  HardState,
  LogEntry,
  LogIndex,
  LogStore,
  MemoryLogStore,
  MemoryStableStore,
  SnapshotStore,
  StableStore,
} from '../../src/index.js';

/** A call that waits for the test to complete it. */
export interface Waiting {
  readonly call: string;
  /** Carries the call out and answers it. */
  complete(): void;
  /** Answers with an error; nothing was done. */
  fail(error: unknown): void;
}

/** Holds back what stores are asked to do, until the test lets it happen. */
export class Disk {
  /** Calls under way, oldest first. */
  readonly waiting: Waiting[] = [];
  /** Names of all calls so far. */
  readonly calls: string[] = [];
  /** Errors to throw, by call. */
  readonly failures = new Map<string, Error>();
  /** Whether a failing call throws at once, instead of rejecting. */
  throwsAtOnce = false;
  /** Whether calls wait; when not, they are answered in a microtask. */
  held = true;
  /** Whether calls are answered at once, as a store in memory does. */
  immediate = false;

  run<T>(call: string, action: () => T): T | Promise<T> {
    this.calls.push(call);
    const failure = this.failures.get(call);
    if (failure !== undefined && this.throwsAtOnce) throw failure;
    if (failure !== undefined) return Promise.reject(failure);
    if (this.immediate) return action();
    if (!this.held) return Promise.resolve().then(action);
    return new Promise<T>((resolve, reject) => {
      const done = (settle: () => void) => (): void => {
        this.waiting.splice(this.waiting.indexOf(item), 1);
        settle();
      };
      const item: Waiting = {
        call,
        complete: done(() => resolve(action())),
        fail: (error) => done(() => reject(error))(),
      };
      this.waiting.push(item);
    });
  }

  /** Completes the oldest call, which must be this one. */
  complete(call: string): void {
    const [first] = this.waiting;
    if (first?.call !== call)
      throw new Error(`${call} is not next: ${this.waiting.map((item) => item.call).join(', ')}`);
    first.complete();
  }
}

/** A log store whose calls the test completes. */
export class SlowLogStore implements LogStore {
  readonly store: MemoryLogStore;
  readonly #disk: Disk;

  constructor(store: MemoryLogStore, disk: Disk) {
    this.store = store;
    this.#disk = disk;
  }

  get firstIndex(): LogIndex {
    return this.store.firstIndex;
  }

  get lastIndex(): LogIndex {
    return this.store.lastIndex;
  }

  read(from: LogIndex, to: LogIndex, maxBytes: number): readonly LogEntry[] | Promise<readonly LogEntry[]> {
    return this.#disk.run('read', () => this.store.read(from, to, maxBytes));
  }

  append(entries: readonly LogEntry[]): void | Promise<void> {
    return this.#disk.run('append', () => this.store.append(entries));
  }

  truncateSuffix(from: LogIndex): void | Promise<void> {
    return this.#disk.run('truncateSuffix', () => this.store.truncateSuffix(from));
  }

  truncatePrefix(through: LogIndex): void | Promise<void> {
    return this.#disk.run('truncatePrefix', () => this.store.truncatePrefix(through));
  }

  reset(nextIndex: LogIndex): void | Promise<void> {
    return this.#disk.run('reset', () => this.store.reset(nextIndex));
  }

  redact(tombstones: readonly LogEntry[]): void | Promise<void> {
    return this.#disk.run('redact', () => this.store.redact(tombstones));
  }

  appendAndRedact(entries: readonly LogEntry[], tombstones: readonly LogEntry[]): void | Promise<void> {
    return this.#disk.run('appendAndRedact', () => this.store.appendAndRedact(entries, tombstones));
  }

  close(): void {}
}

/** Term and vote in a store whose calls the test completes. */
export class SlowStableStore implements StableStore {
  readonly store: MemoryStableStore;
  readonly #disk: Disk;

  constructor(store: MemoryStableStore, disk: Disk) {
    this.store = store;
    this.#disk = disk;
  }

  load(): HardState | null | Promise<HardState | null> {
    return this.#disk.run('load', () => this.store.load());
  }

  save(state: HardState): void | Promise<void> {
    return this.#disk.run('save', () => this.store.save(state));
  }

  close(): void {}
}

/** A call of a snapshot store that is held up, and what was called. */
export interface HeldCall {
  /** `create`, `write` and `close`, each when it `begins` and when it `ends`, and `cancelled`. */
  readonly calls: readonly string[];
  /** Lets the call go on. */
  open(): void;
}

/** Holds one of a snapshot store's calls up until it is let go on. */
export function holdSnapshotCall(store: SnapshotStore, held: 'create' | 'write' | 'close'): HeldCall {
  const calls: string[] = [];
  let open: () => void = () => undefined;
  const passed = new Promise<void>((resolve) => (open = resolve));
  const slow = async <T>(name: string, does: () => T): Promise<Awaited<T>> => {
    calls.push(`${name} begins`);
    if (name === held) await passed;
    calls.push(`${name} ends`);
    return await does();
  };
  const create = store.create.bind(store);
  jest.spyOn(store, 'create').mockImplementation((meta) =>
    slow('create', async () => {
      const sink = await create(meta);
      return {
        id: sink.id,
        get size() {
          return sink.size;
        },
        write: (chunk) => slow('write', () => sink.write(chunk)),
        close: () => slow('close', () => sink.close()),
        cancel: () => {
          calls.push('cancelled');
          return sink.cancel();
        },
      };
    }),
  );
  return { calls, open };
}
