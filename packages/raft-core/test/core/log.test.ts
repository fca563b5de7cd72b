import fc from 'fast-check';
import { CoreLog } from '../../src/core/log.js';
import { TermRuns } from '../../src/core/term-runs.js';
import { entrySize, EntryType, type LogEntry } from '../../src/index.js';
import { entriesOf, entry } from '../support/core-driver.js';

function emptyLog(cacheLimitBytes = 1 << 20): CoreLog {
  return new CoreLog(new TermRuns(0, 0), cacheLimitBytes);
}

const indexes = (entries: readonly LogEntry[] | undefined): number[] | undefined => entries?.map(({ index }) => index);

describe('the core log: slices', () => {
  test('hold at least one entry, then as many as fit in bytes and number', () => {
    const log = emptyLog();
    log.append(entriesOf([1, 1, 1, 1]));
    const size = entrySize(entry(1, 1));
    expect(indexes(log.slice(1, 4, 1, 10))).toEqual([1]);
    expect(indexes(log.slice(1, 4, 2 * size, 10))).toEqual([1, 2]);
    expect(indexes(log.slice(1, 4, 2 * size + 1, 10))).toEqual([1, 2]);
    expect(indexes(log.slice(2, 4, 1000, 2))).toEqual([2, 3]);
    expect(indexes(log.slice(2, 3, 1000, 10))).toEqual([2, 3]);
  });

  test('are one array for the same question, so that it is encoded once', () => {
    const log = emptyLog();
    log.append(entriesOf([1, 1, 1]));
    const first = log.slice(1, 3, 1000, 10);
    expect(log.slice(1, 3, 1000, 10)).toBe(first);
    log.truncateFrom(3);
    log.append([entry(3, 2)]);
    expect(log.slice(1, 3, 1000, 10)!.map(({ term }) => term)).toEqual([1, 1, 2]);
  });

  test('show tombstones once an entry is redacted', () => {
    const log = emptyLog();
    log.append(entriesOf([1, 1]));
    const before = log.slice(1, 2, 1000, 10);
    const tombstone: LogEntry = { index: 1, term: 1, type: EntryType.tombstone, data: new Uint8Array(32) };
    log.redact([tombstone, { ...tombstone, index: 99 }]);
    expect(log.slice(1, 2, 1000, 10)![0]).toBe(tombstone);
    expect(before![0]!.type).toBe(EntryType.command);
    expect(log.cacheBytes).toBe(entrySize(tombstone) + entrySize(entry(2, 1)));
  });
});

describe('the core log: what the store confirmed', () => {
  test('a late completion of an old epoch marks nothing stable (rule 2)', () => {
    const log = emptyLog();
    log.append(entriesOf([1, 1, 1]));
    const epoch = log.epoch;
    log.truncateFrom(2);
    log.append([entry(2, 2), entry(3, 2)]);
    expect(log.markStable(epoch, 3)).toBe(false);
    expect(log.stableIndex).toBe(0);
    expect(log.markStable(log.epoch, 3)).toBe(true);
    expect(log.stableIndex).toBe(3);
  });

  test('a completion never moves back, nor past the end', () => {
    const log = emptyLog();
    log.append(entriesOf([1, 1]));
    expect(log.markStable(log.epoch, 9)).toBe(true);
    expect(log.stableIndex).toBe(2);
    expect(log.markStable(log.epoch, 1)).toBe(false);
    expect(log.stableIndex).toBe(2);
  });

  test('what is truncated is not stable, and a reset begins after the snapshot', () => {
    const log = new CoreLog(new TermRuns(0, 0), 1000);
    log.append(entriesOf([1, 1, 1]));
    log.markStable(log.epoch, 3);
    log.truncateFrom(2);
    expect([log.stableIndex, log.lastIndex]).toEqual([1, 1]);
    log.reset(10, 4);
    expect([log.firstIndex, log.lastIndex, log.lastTerm, log.stableIndex, log.termAt(10)]).toEqual([11, 10, 4, 10, 4]);
    log.append([entry(11, 4)]);
    expect(indexes(log.slice(11, 11, 1, 1))).toEqual([11]);
  });
});

describe('the core log: its cache', () => {
  test('drops the oldest that are stored and done with, down to its limit', () => {
    const size = entrySize(entry(1, 1));
    const log = emptyLog(2 * size);
    log.append(entriesOf([1, 1, 1, 1]));
    log.trimCache(4);
    expect(log.cacheBytes).toBe(4 * size);
    log.markStable(log.epoch, 3);
    log.trimCache(1);
    expect(log.cached(1)).toBeUndefined();
    expect(log.cached(2)).toBeDefined();
    log.trimCache(4);
    expect([log.cacheBytes, log.cached(2), log.cached(3)?.index]).toEqual([2 * size, undefined, 3]);
    expect(log.slice(2, 4, 1000, 10)).toBeUndefined();
  });

  test('terms stay known for entries that are not in memory', () => {
    const log = emptyLog(1);
    log.append(entriesOf([1, 2, 2]));
    log.markStable(log.epoch, 3);
    log.trimCache(3);
    expect([log.cacheBytes, log.termAt(1), log.termAt(3)]).toEqual([0, 1, 2]);
    log.append([entry(4, 2)]);
    expect(indexes(log.slice(4, 4, 1, 1))).toEqual([4]);
    log.truncateFrom(2);
    log.append([entry(2, 3)]);
    expect(log.cached(2)?.term).toBe(3);
  });

  test('holds the right entries, and counts their bytes, whatever is done to the log', () => {
    const step = fc.record({ op: fc.constantFrom('append', 'truncate', 'compact', 'stable'), n: fc.nat(6) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 400 }), (steps, limit) => {
        const log = emptyLog(limit);
        let term = 1;
        let held: LogEntry[] = [];
        for (const { op, n } of steps) {
          const first = log.firstIndex;
          const last = log.lastIndex;
          if (op === 'append') {
            const more = entriesOf(Array<number>(n).fill(term), last + 1);
            log.append(more);
            held.push(...more);
          } else if (op === 'truncate' && last - n >= first) {
            term++;
            log.truncateFrom(last - n);
            held = held.filter(({ index }) => index < last - n);
          } else if (op === 'compact' && first + n <= log.stableIndex) {
            log.compactThrough(first + n);
            held = held.filter(({ index }) => index > first + n);
          } else if (op === 'stable') {
            log.markStable(log.epoch, last - n);
            log.trimCache(last - n);
          }
          const cached = held.filter(({ index }) => log.cached(index) !== undefined);
          expect(cached.map(({ index }) => log.cached(index))).toEqual(cached);
          expect(log.cacheBytes).toBe(cached.reduce((sum, item) => sum + entrySize(item), 0));
          // The cache is the end of the log: only its beginning may be missing.
          expect(cached).toEqual(held.slice(held.length - cached.length));
          expect(held.slice(0, held.length - cached.length).every(({ index }) => index <= log.stableIndex)).toBe(true);
        }
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  test('thousands of entries pass through without being kept', () => {
    const log = emptyLog(1000);
    for (let index = 1; index <= 20_000; index += 10) {
      log.append(entriesOf(Array<number>(10).fill(1), index));
      log.markStable(log.epoch, index + 9);
      log.trimCache(index + 9);
    }
    expect(log.cacheBytes).toBeLessThanOrEqual(1000);
    expect(log.cached(20_000)?.index).toBe(20_000);
    expect(indexes(log.slice(19_995, 20_000, 1e9, 3))).toEqual([19_995, 19_996, 19_997]);
  });
});

describe('the core log: section 5.4.1', () => {
  test.each([
    [3, 2, true],
    [4, 2, true],
    [2, 2, false],
    [1, 3, true],
    [9, 1, false],
  ])('a log that ends at %i of term %i is up to date: %s', (index, term, expected) => {
    const log = emptyLog();
    log.append(entriesOf([1, 2, 2]));
    expect(log.isUpToDate(index, term)).toBe(expected);
  });
});
