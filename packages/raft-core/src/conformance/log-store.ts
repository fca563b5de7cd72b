import { seededRandom } from '../clock/seeded-random.js';
import { entrySize, EntryType, type LogEntry, type LogIndex } from '../core/types.js';
import type { LogStore, MaybePromise } from '../ports/log-store.js';
import { assertRefuses, assertSame, type ConformanceCheck } from './check.js';

/** How a suite gets at stores of one kind. */
export interface StoreConformanceOptions<Store> {
  /**
   * Closes the store and opens it again from the same medium, as after a restart of the process. Leave it out for a store
   * that keeps nothing; then durability is not checked.
   */
  readonly reopen?: (store: Store) => MaybePromise<Store>;
}

type Reopen = (store: LogStore) => MaybePromise<LogStore>;

/**
 * What {@link LogStore} promises.
 *
 * @param create gives a new, empty store at each call; each check closes its own
 */
export function logStoreConformance(
  create: () => MaybePromise<LogStore>,
  options: StoreConformanceOptions<LogStore> = {},
): readonly ConformanceCheck[] {
  const { reopen } = options;
  const checkOf = (name: string, body: (store: LogStore) => Promise<void>): ConformanceCheck => ({
    name: `LogStore: ${name}`,
    run: async () => {
      const store = await create();
      try {
        await body(store);
      } finally {
        await store.close();
      }
    },
  });
  return [
    ...READING.map(([name, body]) => checkOf(name, body)),
    ...WRITING.map(([name, body]) => checkOf(name, body)),
    ...(reopen === undefined ? [] : durability(create, reopen)),
  ];
}

type Named = readonly [name: string, body: (store: LogStore) => Promise<void>];

/** An entry whose data depends on its index and term, `bytes` long. */
function entry(index: LogIndex, term = 1, bytes = 8): LogEntry {
  const data = new Uint8Array(bytes).map((_, i) => (index + 31 * term + i) & 255);
  return { index, term, type: EntryType.command, data };
}

function entries(from: LogIndex, to: LogIndex, term = 1): LogEntry[] {
  return Array.from({ length: to - from + 1 }, (_, i) => entry(from + i, term));
}

function tombstone(index: LogIndex, term = 1): LogEntry {
  const extensions = Uint8Array.of(0, 0, 0, 0, 0, 0, 1, index & 255);
  return { index, term, type: EntryType.tombstone, data: new Uint8Array(32).fill(index & 255), extensions };
}

/** Fails unless the store holds just these entries, the first of them at `firstIndex`. */
async function assertHolds(store: LogStore, firstIndex: LogIndex, expected: readonly LogEntry[]): Promise<void> {
  assertSame(store.firstIndex, firstIndex, 'firstIndex');
  assertSame(store.lastIndex, firstIndex + expected.length - 1, 'lastIndex');
  const read = await readAll(store, expected.length, (from, to) => store.read(from, to, 1 << 20));
  assertSame(read, expected, 'the entries');
  if (store.lend !== undefined) {
    const lent = await readAll(store, expected.length, (from, to) => [...lentBy(store, from, to, 1 << 20)]);
    assertSame(lent, expected, 'the entries that are lent');
  }
  if (store.readOutline === undefined) return;
  const outlines = await readAll(store, expected.length, (from, to) => store.readOutline!(from, to, 1 << 20));
  assertSame(outlines.map(outlineOf), expected.map(outlineOf), 'the outlines of the entries');
}

async function readAll(
  store: LogStore,
  count: number,
  readFrom: (from: LogIndex, to: LogIndex) => MaybePromise<readonly LogEntry[]>,
): Promise<readonly LogEntry[]> {
  const found: LogEntry[] = [];
  while (found.length < count) {
    const from = store.firstIndex + found.length;
    const read = await readFrom(from, store.lastIndex);
    assertSame(read[0]?.index, from, 'the index of the first entry read');
    found.push(...read);
  }
  return found;
}

/** Copies of what a store lends, each made when its turn is. */
function* lentBy(store: LogStore, from: LogIndex, to: LogIndex, maxBytes: number): Generator<LogEntry, void> {
  for (const lent of store.lend!(from, to, maxBytes)) {
    const copy = { ...lent, data: new Uint8Array(lent.data) };
    yield lent.extensions === undefined ? copy : { ...copy, extensions: new Uint8Array(lent.extensions) };
  }
}

/** What `readOutline` must give of an entry. */
function outlineOf(entry: LogEntry): LogEntry {
  const { index, term, type } = entry;
  return type === EntryType.command ? { index, term, type, data: new Uint8Array(0) } : entry;
}

const READING: readonly Named[] = [
  [
    'a new store is empty, and its first entry will be 1',
    async (store) => {
      assertSame([store.firstIndex, store.lastIndex], [1, 0], 'firstIndex and lastIndex');
      await assertRefuses(['RAFT_STORE_FAILED'], 'a read of an empty log', () => store.read(1, 1, 100));
    },
  ],
  [
    'every field of an entry comes back, and no other',
    async (store) => {
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      const all: LogEntry[] = [
        { index: 1, term: 1, type: EntryType.command, data: bytes, extensions: bytes.slice(7), appendedAtMs: 1.7e12 },
        { index: 2, term: 1, type: EntryType.noop, data: new Uint8Array(0) },
        { index: 3, term: 2, type: EntryType.barrier, data: new Uint8Array(0), appendedAtMs: 0 },
        { index: 4, term: 2, type: EntryType.configuration, data: bytes },
        tombstone(5, 7),
        { index: 6, term: Number.MAX_SAFE_INTEGER, type: EntryType.command, data: new Uint8Array(100_000).fill(9) },
      ];
      await store.append(all);
      await assertHolds(store, 1, all);
    },
  ],
  [
    'a read gives at least one entry, and further ones while their sizes fit',
    async (store) => {
      await store.append(entries(1, 5));
      const size = entrySize(entry(1));
      const read = async (maxBytes: number): Promise<number> => (await store.read(2, 5, maxBytes)).length;
      assertSame(await read(0), 1, 'entries within 0 bytes');
      assertSame(await read(2 * size - 1), 1, 'entries within a byte less than two take');
      assertSame(await read(2 * size), 2, 'entries within the bytes that two take');
      assertSame(await read(1e9), 4, 'entries within enough bytes');
    },
  ],
  [
    'what is lent is what a read gives, also while something else is lent or read',
    async (store) => {
      await store.append(entries(1, 50));
      if (store.lend === undefined) return;
      const size = entrySize(entry(1));
      for (const maxBytes of [0, 2 * size - 1, 2 * size, 1e9]) {
        const lent = [...lentBy(store, 2, 5, maxBytes)];
        assertSame(lent, await store.read(2, 5, maxBytes), `what is lent of 2 to 5 within ${maxBytes} bytes`);
      }
      let index = 1;
      for (const outer of store.lend(1, 50, 1e9)) {
        assertSame([...lentBy(store, 30, 35, 1e9)], entries(30, 35), 'what is lent meanwhile');
        await store.read(40, 45, 1e9);
        assertSame(outer, entry(index++), 'an entry while others are read');
      }
      assertSame(index, 51, 'the index behind the last entry that was lent');
    },
  ],
  [
    'a read stays within its range',
    async (store) => {
      await store.append(entries(1, 9));
      assertSame(await store.read(3, 5, 1e9), entries(3, 5), 'entries 3 to 5');
      assertSame(await store.read(9, 9, 1e9), entries(9, 9), 'entry 9');
    },
  ],
  [
    'a range that is not wholly inside the log is refused, never cut short',
    async (store) => {
      await store.append(entries(1, 5));
      await store.truncatePrefix(2);
      const ranges: [number, number][] = [
        [2, 4],
        [3, 6],
        [6, 6],
        [5, 4],
        [0, 3],
      ];
      for (const [from, to] of ranges) {
        await assertRefuses(['RAFT_STORE_FAILED'], `a read from ${from} to ${to}`, () => store.read(from, to, 1e9));
        if (store.lend === undefined) continue;
        const lend = (): unknown => [...lentBy(store, from, to, 1e9)];
        await assertRefuses(['RAFT_STORE_FAILED'], `lending ${from} to ${to}`, lend);
      }
    },
  ],
];

const WRITING: readonly Named[] = [
  [
    'appends go on where the last one ended; an empty one changes nothing',
    async (store) => {
      await store.append(entries(1, 3));
      await store.append([]);
      await store.append(entries(4, 4, 2));
      await assertHolds(store, 1, [...entries(1, 3), entry(4, 2)]);
    },
  ],
  [
    'truncateSuffix takes away the end, and other entries can take its place',
    async (store) => {
      await store.append(entries(1, 5));
      await store.truncateSuffix(6);
      await assertHolds(store, 1, entries(1, 5));
      await store.truncateSuffix(3);
      await assertHolds(store, 1, entries(1, 2));
      await store.append(entries(3, 4, 2));
      await assertHolds(store, 1, [...entries(1, 2), ...entries(3, 4, 2)]);
      await store.truncateSuffix(1);
      await assertHolds(store, 1, []);
    },
  ],
  [
    'truncatePrefix takes away the beginning; an emptied log goes on behind it',
    async (store) => {
      await store.append(entries(1, 6));
      await store.truncatePrefix(2);
      await assertHolds(store, 3, entries(3, 6));
      await store.truncatePrefix(1);
      await assertHolds(store, 3, entries(3, 6));
      await store.truncateSuffix(5);
      await assertHolds(store, 3, entries(3, 4));
      await store.truncatePrefix(4);
      await assertHolds(store, 5, []);
      await store.append(entries(5, 6, 2));
      await assertHolds(store, 5, entries(5, 6, 2));
    },
  ],
  [
    'reset empties the log and sets where it goes on, far ahead too',
    async (store) => {
      await store.append(entries(1, 3));
      await store.reset(10);
      await assertHolds(store, 10, []);
      await store.append(entries(10, 11));
      await assertHolds(store, 10, entries(10, 11));
      const far = 2 ** 40;
      await store.reset(far);
      await store.append(entries(far, far + 300, far));
      await assertHolds(store, far, entries(far, far + 300, far));
      await store.truncatePrefix(far + 255);
      await assertHolds(store, far + 256, entries(far + 256, far + 300, far));
    },
  ],
  [
    'redact replaces entries in place and skips those that are gone',
    async (store) => {
      await store.append(entries(1, 5));
      await store.truncatePrefix(1);
      await store.redact([tombstone(1), tombstone(3), tombstone(5), tombstone(6)]);
      await assertHolds(store, 2, [entry(2), tombstone(3), entry(4), tombstone(5)]);
      await store.redact([]);
      await store.append([entry(6)]);
      await assertHolds(store, 2, [entry(2), tombstone(3), entry(4), tombstone(5), entry(6)]);
    },
  ],
  [
    'appendAndRedact does both, and may redact what it appends',
    async (store) => {
      await store.append(entries(1, 3));
      await store.truncatePrefix(1);
      await store.appendAndRedact(entries(4, 6), [tombstone(1), tombstone(3), tombstone(5), tombstone(7)]);
      const all = [entry(2), tombstone(3), entry(4), tombstone(5), entry(6)];
      await assertHolds(store, 2, all);
      await store.appendAndRedact([], [tombstone(2)]);
      await store.appendAndRedact([entry(7)], []);
      await assertHolds(store, 2, [tombstone(2), ...all.slice(1), entry(7)]);
    },
  ],
  [
    'any sequence of writes leaves what a list of entries would hold',
    async (store) => {
      const model = new Model();
      for (let step = 0; step < 300; step++) await model.step(store);
      await assertHolds(store, model.first, model.entries);
    },
  ],
];

/** Does seeded writes to a store, and the same to a list. */
class Model {
  first: LogIndex = 1;
  entries: LogEntry[] = [];
  #term = 1;
  readonly #random = seededRandom(20);

  get last(): LogIndex {
    return this.first + this.entries.length - 1;
  }

  async step(store: LogStore): Promise<void> {
    const pick = this.#random.next();
    const at = this.first + Math.floor(this.#random.next() * (this.entries.length + 1));
    if (pick < 0.6) {
      const more = entries(this.last + 1, this.last + 1 + Math.floor(this.#random.next() * 6), this.#term);
      this.entries.push(...more);
      if (pick < 0.3) await store.append(more);
      else await store.appendAndRedact(more, this.#redact(at));
    } else if (pick < 0.75) {
      this.#term++;
      this.entries = this.entries.slice(0, at - this.first);
      await store.truncateSuffix(at);
    } else if (pick < 0.88) {
      const through = Math.min(at, this.last);
      this.entries = this.entries.slice(through - this.first + 1);
      this.first = Math.max(this.first, through + 1);
      await store.truncatePrefix(through);
    } else if (pick < 0.98) {
      await store.redact(this.#redact(at));
    } else {
      this.first = at + 5;
      this.entries = [];
      await store.reset(this.first);
    }
    assertSame([store.firstIndex, store.lastIndex], [this.first, this.last], 'firstIndex and lastIndex');
  }

  /** The tombstone of an entry, or of none. */
  #redact(at: LogIndex): readonly LogEntry[] {
    const old = this.entries[at - this.first];
    const stone = tombstone(at, old?.term ?? this.#term);
    if (old !== undefined) this.entries[at - this.first] = stone;
    return [stone];
  }
}

function durability(create: () => MaybePromise<LogStore>, reopen: Reopen): ConformanceCheck[] {
  const survives = (
    name: string,
    write: (store: LogStore) => MaybePromise<void>,
    first: LogIndex,
    expected: readonly LogEntry[],
  ): ConformanceCheck => ({
    name: `LogStore: ${name} outlives a restart`,
    run: async () => {
      let store = await create();
      await store.append(entries(1, 5));
      await write(store);
      store = await reopen(store);
      try {
        await assertHolds(store, first, expected);
        await store.append([entry(first + expected.length, 9)]);
        await assertHolds(store, first, [...expected, entry(first + expected.length, 9)]);
      } finally {
        await store.close();
      }
    },
  });
  return [
    survives('an append', (store) => store.append(entries(6, 7)), 1, entries(1, 7)),
    survives('a truncated end', (store) => store.truncateSuffix(4), 1, entries(1, 3)),
    survives('a truncated beginning', (store) => store.truncatePrefix(2), 3, entries(3, 5)),
    survives('a log truncated to nothing', (store) => store.truncatePrefix(5), 6, []),
    survives('a reset', (store) => store.reset(42), 42, []),
    survives('a tombstone', (store) => store.redact([tombstone(2)]), 1, [entry(1), tombstone(2), ...entries(3, 5)]),
    survives(
      'an append with tombstones',
      (store) => store.appendAndRedact(entries(6, 7), [tombstone(5), tombstone(6)]),
      1,
      [...entries(1, 4), tombstone(5), tombstone(6), entry(7)],
    ),
  ];
}
