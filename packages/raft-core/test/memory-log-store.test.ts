// The log in memory is kept in pieces of 1024 entries: everything that happens at their edges.
import { EntryType, MemoryLogStore, entrySize, seededRandom, type LogEntry } from '../src/index.js';

const entry = (index: number, term = 1): LogEntry => ({
  index,
  term,
  type: EntryType.command,
  data: Buffer.alloc(index % 7),
});
const range = (from: number, to: number, term = 1): LogEntry[] =>
  Array.from({ length: to - from + 1 }, (_, i) => entry(from + i, term));

test.each([1, 2, 3, 4, 5, 6])('seed %i: it holds what a plain array would', (seed) => {
  const random = seededRandom(seed);
  const store = new MemoryLogStore();
  let model: LogEntry[] = [];
  let first = 1;
  for (let step = 0; step < 100; step++) {
    const last = first + model.length - 1;
    const some = Math.floor(random.next() * 1500);
    const dice = random.next();
    if (dice < 0.5) {
      const entries = range(last + 1, last + some, step);
      store.append(entries);
      model.push(...entries);
    } else if (dice < 0.7) {
      const from = last - some;
      store.truncateSuffix(from);
      model = model.filter(({ index }) => index < from);
    } else if (dice < 0.95) {
      const through = Math.min(last, first + some);
      store.truncatePrefix(through);
      model = model.filter(({ index }) => index > through);
      first = through + 1;
    } else {
      first = last + some + 1;
      store.reset(first);
      model = [];
    }
    expect([store.firstIndex, store.lastIndex]).toEqual([first, first + model.length - 1]);
    expect(store.sizeBytes).toBe(model.reduce((sum, item) => sum + entrySize(item), 0));
    if (model.length === 0) continue;
    const held = store.read(first, store.lastIndex, Infinity);
    expect(held.length === model.length && held.every((item, i) => item === model[i])).toBe(true);
  }
});
