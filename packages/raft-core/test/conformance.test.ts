// The suites hold for what this package ships, and fail for stores that break a promise.
import {
  logStoreConformance,
  snapshotStoreConformance,
  stableStoreConformance,
  stateMachineConformance,
  transportConformance,
  type ConformanceCheck,
  type TransportPair,
} from '../src/conformance/index.js';
import {
  MemoryLogStore,
  MemorySnapshotStore,
  MemoryStableStore,
  SimulatedClock,
  type HardState,
  type LogEntry,
  type LogIndex,
  type LogStore,
  type ResponseOf,
  type RpcRequest,
  type Server,
  type SnapshotMeta,
  type SnapshotSink,
} from '../src/index.js';
import { LendingLogStore } from './support/lending-log-store.js';
import { DirectTransport } from './support/direct-transport.js';
import { Disk, SlowLogStore, SlowStableStore } from './support/slow-stores.js';
import { TextMachine } from './support/test-cluster.js';

/** A disk that answers in a later microtask. */
function quickDisk(): Disk {
  const disk = new Disk();
  disk.held = false;
  return disk;
}

function pairOf(
  a: (id: string, peers: Map<string, DirectTransport>, clock: SimulatedClock) => DirectTransport,
): TransportPair {
  const clock = new SimulatedClock();
  const peers = new Map<string, DirectTransport>();
  const settle = <T>(promise: Promise<T>): Promise<T> => clock.resolve(promise, 20_000);
  return { a: a('a', peers, clock), b: new DirectTransport('b', peers, clock), settle };
}

const textMachine = {
  create: () => new TextMachine(),
  commands: ['one', 'two', 'three', 'four'].map((line) => Buffer.from(line)),
  inspect: (machine: unknown) => (machine as TextMachine).lines,
};

const keepless = { ...textMachine, create: () => Object.assign(new TextMachine(), { keepsNoBytes: true }) };

const keep = <T>(store: T): T => store;
const suites: readonly (readonly [string, readonly ConformanceCheck[]])[] = [
  ['MemoryLogStore', logStoreConformance(() => new MemoryLogStore(), { reopen: keep })],
  ['a log store that lends', logStoreConformance(() => new LendingLogStore(), { reopen: keep })],
  ['a log store that takes its time', logStoreConformance(() => new SlowLogStore(new MemoryLogStore(), quickDisk()))],
  ['MemoryStableStore', stableStoreConformance(() => new MemoryStableStore(), { reopen: keep })],
  [
    'a stable store that takes its time',
    stableStoreConformance(() => new SlowStableStore(new MemoryStableStore(), quickDisk())),
  ],
  ['MemorySnapshotStore', snapshotStoreConformance(() => new MemorySnapshotStore(), { reopen: keep })],
  ['MemorySnapshotStore of one', snapshotStoreConformance(() => new MemorySnapshotStore(1))],
  ['a text machine', stateMachineConformance(textMachine)],
  ['a text machine that keeps no bytes', stateMachineConformance(keepless)],
  ['a direct transport', transportConformance(() => pairOf((...args) => new DirectTransport(...args)))],
];

describe.each(suites)('%s', (_, checks) => {
  test.each(checks.map((check) => [check.name, check.run] as const))('%s', (_name, run) => run());
});

/** Names of the checks that fail. */
async function failing(checks: readonly ConformanceCheck[]): Promise<string[]> {
  const names: string[] = [];
  for (const { name, run } of checks) await run().catch(() => names.push(name));
  return names;
}

/** A log store with one fault. */
function brokenLog(fault: (store: MemoryLogStore) => Partial<LogStore>): readonly ConformanceCheck[] {
  return logStoreConformance(
    () => {
      const store = new MemoryLogStore();
      return Object.assign(store, fault(store));
    },
    { reopen: keep },
  );
}

const stripped = ({ index, term, type, data }: LogEntry): LogEntry => ({ index, term, type, data });
const brokenLogs: readonly (readonly [string, string, readonly ConformanceCheck[]])[] = [
  [
    'cuts a range short',
    'never cut short',
    brokenLog((s) => {
      const read = s.read.bind(s);
      return { read: (from, to, max) => (from > s.lastIndex ? [] : read(from, Math.min(to, s.lastIndex), max)) };
    }),
  ],
  [
    'forgets extensions',
    'every field',
    brokenLog((s) => {
      const append = s.append.bind(s);
      return { append: (entries) => append(entries.map(stripped)) };
    }),
  ],
  [
    'ignores maxBytes',
    'at least one entry',
    brokenLog((s) => {
      const read = s.read.bind(s);
      return { read: (from, to) => read(from, to, Infinity) };
    }),
  ],
  [
    'truncates one too few',
    'truncateSuffix',
    brokenLog((s) => {
      const truncate = s.truncateSuffix.bind(s);
      return { truncateSuffix: (from) => truncate(from + 1) };
    }),
  ],
  [
    'lends more than fits',
    'what is lent',
    brokenLog((s) => ({ lend: (from: LogIndex, to: LogIndex) => s.read(from, to, Infinity) })),
  ],
  [
    'lends one piece of memory twice',
    'what is lent',
    brokenLog((s) => {
      const scratch = new Uint8Array(64);
      return {
        *lend(from: LogIndex, to: LogIndex, max: number) {
          for (const entry of s.read(from, to, max)) {
            scratch.set(entry.data.subarray(0, scratch.length));
            yield { ...entry, data: scratch.subarray(0, entry.data.length) };
          }
        },
      };
    }),
  ],
  [
    'lends what is not there',
    'never cut short',
    brokenLog((s) => ({
      lend: (from: LogIndex, to: LogIndex, max: number) =>
        s.read(Math.max(from, s.firstIndex), Math.min(to, s.lastIndex), max),
    })),
  ],
  ['compacts nothing', 'truncatePrefix', brokenLog(() => ({ truncatePrefix: () => {} }))],
  ['redacts nothing', 'redact', brokenLog(() => ({ redact: () => {} }))],
  [
    'redacts nothing with an append',
    'appendAndRedact',
    brokenLog((s) => {
      const append = s.append.bind(s);
      return { appendAndRedact: (entries) => append(entries) };
    }),
  ],
  [
    'resets to 1',
    'reset',
    brokenLog((s) => {
      const reset = s.reset.bind(s);
      return { reset: () => reset(1) };
    }),
  ],
  [
    'counts in 32 bits',
    'far ahead',
    brokenLog((s) => {
      const reset = s.reset.bind(s);
      return { reset: (index: LogIndex) => reset(index >>> 0) };
    }),
  ],
];

describe('a suite fails for', () => {
  test.each(brokenLogs)('a log store that %s', async (_, name, checks) => {
    expect((await failing(checks)).join('\n')).toContain(name);
  });

  test('stores that forget at a restart', async () => {
    const log = logStoreConformance(() => new MemoryLogStore(), { reopen: () => new MemoryLogStore() });
    expect((await failing(log)).every((name) => name.includes('outlives a restart'))).toBe(true);
    expect(await failing(log)).toHaveLength(7);
    const stable = stableStoreConformance(() => new MemoryStableStore(), { reopen: () => new MemoryStableStore() });
    expect(await failing(stable)).toHaveLength(5);
    const snapshots = snapshotStoreConformance(() => new MemorySnapshotStore(), {
      reopen: () => new MemorySnapshotStore(),
    });
    expect(await failing(snapshots)).toHaveLength(1);
  });

  test('a stable store that keeps the first vote', async () => {
    class FirstVote extends MemoryStableStore {
      override save(state: HardState): void {
        super.save({ term: state.term, votedFor: this.load()?.votedFor ?? state.votedFor });
      }
    }
    expect(await failing(stableStoreConformance(() => new FirstVote()))).toHaveLength(2);
  });

  test('a snapshot store that shows what is not closed, or is in order of writing', async () => {
    class Oldest extends MemorySnapshotStore {
      override list(): readonly SnapshotMeta[] {
        return [...super.list()].reverse();
      }
    }
    expect((await failing(snapshotStoreConformance(() => new Oldest()))).length).toBeGreaterThan(1);
    class Eager extends MemorySnapshotStore {
      override create(meta: Omit<SnapshotMeta, 'id' | 'size'>): SnapshotSink {
        void super.create(meta).close();
        return super.create(meta);
      }
    }
    expect((await failing(snapshotStoreConformance(() => new Eager()))).join()).toContain('before it is closed');
  });

  test('a state machine that shares its state with its snapshots, redacts what it still needs, or depends on chance', async () => {
    class Shared extends TextMachine {
      override snapshot(): ReturnType<TextMachine['snapshot']> {
        return { persist: (write) => super.snapshot().persist(write), release() {} };
      }
    }
    const names = await failing(stateMachineConformance({ ...textMachine, create: () => new Shared() }));
    expect(names).toEqual(['StateMachine: a snapshot is frozen: later commands are not in it']);
    class Keeping extends TextMachine {
      readonly keepsNoBytes = true;
      #last: Uint8Array = new Uint8Array(0);
      override apply(...[entry, context]: Parameters<TextMachine['apply']>): number {
        if (this.lines.length > 0) this.lines[this.lines.length - 1] = Buffer.from(this.#last).toString();
        this.#last = entry.data;
        return super.apply(entry, context);
      }
    }
    const keeping = await failing(stateMachineConformance({ ...textMachine, create: () => new Keeping() }));
    expect(keeping.join()).toContain('keeps none');
    class Forgetful extends TextMachine {
      override apply(...[entry, context]: Parameters<TextMachine['apply']>): number {
        if (entry.index > 2) context.redact(entry.index - 1);
        return super.apply(entry, context);
      }
    }
    const forgetful = await failing(stateMachineConformance({ ...textMachine, create: () => new Forgetful() }));
    expect(forgetful).toEqual(['StateMachine: who gets tombstones for what was redacted comes to the same state']);
    class Mistaken extends TextMachine {
      override apply(...[entry, context]: Parameters<TextMachine['apply']>): number {
        if (entry.index > 2) context.redact(entry.index - 1, new Uint8Array(32));
        return super.apply(entry, context);
      }
    }
    const mistaken = await failing(stateMachineConformance({ ...textMachine, create: () => new Mistaken() }));
    expect(mistaken.join()).toContain('the same responses');
    let calls = 0;
    class Chance extends TextMachine {
      override apply(...args: Parameters<TextMachine['apply']>): number {
        return super.apply(...args) + calls++;
      }
    }
    const chance = await failing(stateMachineConformance({ ...textMachine, create: () => new Chance() }));
    expect(chance.join()).toContain('the same responses');
  });

  test('a transport that throws, never times out, or lets calls hang when it closes', async () => {
    class Throws extends DirectTransport {
      closed = false;
      override send<R extends RpcRequest>(to: Server, request: R, timeoutMs: number): Promise<ResponseOf[R['kind']]> {
        if (this.closed) throw new Error('closed');
        return super.send(to, request, timeoutMs);
      }
      override async close(): Promise<void> {
        await super.close();
        this.closed = true;
      }
    }
    const throws = transportConformance(() => pairOf((...args) => new Throws(...args)));
    expect((await failing(throws)).join()).toContain('never a throw');
    class Patient extends DirectTransport {
      override send<R extends RpcRequest>(to: Server, request: R): Promise<ResponseOf[R['kind']]> {
        return super.send(to, request, 1e9);
      }
    }
    const patient = transportConformance(() => pairOf((...args) => new Patient(...args)));
    expect((await failing(patient)).join()).toContain('ends at its timeout');
  });
});
