import fc from 'fast-check';
import { EntryType, type LogEntry } from '@discovery-raft/raft-core';
import { checkBlock, decodeBlock, encodeBlock, maxBlockBytes, rewriteBlock } from '../src/block-format.js';
import { FormatError, RUN_BYTES } from '../src/entry-format.js';
import { stoneOf } from './fixtures/operations.js';

const bytes = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1000, max: 10_000 }).map(bytesOf));
const safeIndex = fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 2 ** 32 - 10, max: 2 ** 53 - 1000 }));

function bytesOf(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i * length);
}

/** Entries with consecutive indexes and rising terms. */
const entries = fc
  .tuple(
    safeIndex,
    fc.array(
      fc.record({
        step: fc.constantFrom(0, 0, 0, 1, 5, 2 ** 33),
        type: fc.constantFrom(...Object.values(EntryType)),
        data: bytes,
        extensions: fc.option(bytes, { nil: undefined }),
        appendedAtMs: fc.option(fc.double({ noNaN: true }), { nil: undefined }),
      }),
      { minLength: 1, maxLength: 30 },
    ),
  )
  .map(([first, parts]) => {
    let term = 1;
    return parts.map(({ step, type, data, extensions, appendedAtMs }, i): LogEntry => {
      term += step;
      const rest = { ...(extensions && { extensions }), ...(appendedAtMs !== undefined && { appendedAtMs }) };
      return { index: first + i, term, type, data, ...rest };
    });
  });

const encode = (list: readonly LogEntry[]): Uint8Array =>
  encodeBlock(new Uint8Array(maxBlockBytes(list)), list, 0, list.length).slice();

test('a block gives back what was put into it, in any part of a larger array', () => {
  fc.assert(
    fc.property(entries, fc.nat(), fc.nat(), (list, a, b) => {
      const [begin, end] = [a % list.length, 1 + (b % list.length)].sort((x, y) => x - y) as [number, number];
      if (begin === end) return;
      const target = new Uint8Array(maxBlockBytes(list)).fill(255);
      const block = encodeBlock(target, list, begin, end);
      expect(decodeBlock(block)).toEqual(list.slice(begin, end));
      const tombstones = list.slice(begin, end).filter(({ type }) => type === EntryType.tombstone).length;
      expect(checkBlock(block)).toEqual({ firstIndex: list[begin]!.index, entries: end - begin, tombstones });
    }),
  );
});

test('who keeps one entry of a block does not keep the block', () => {
  const list = Array.from({ length: 40 }, (_, i): LogEntry => {
    return { index: i + 1, term: 1, type: EntryType.command, data: bytesOf(i % 4 === 0 ? 6000 : 100) };
  });
  for (const { data } of decodeBlock(encode(list))) {
    expect(data.buffer.byteLength).toBeLessThanOrEqual(Math.max(RUN_BYTES, data.length));
  }
});

test('entries from anywhere in the log go into one record', () => {
  fc.assert(
    fc.property(fc.uniqueArray(safeIndex, { minLength: 1 }), fc.nat(), (indexes, term) => {
      const stones = indexes.map((index) => stoneOf(index, term + (index % 3)));
      expect(decodeBlock(encode(stones))).toEqual(stones);
    }),
  );
});

test('a rewritten block has the tombstones in place, and no more than it is to keep', () => {
  fc.assert(
    fc.property(entries, fc.nat(), fc.infiniteStream(fc.boolean()), (list, k, dead) => {
      const keep = 1 + (k % list.length);
      const stones = list.filter(() => dead.next().value).map(({ index, term }) => stoneOf(index, term));
      const byIndex = new Map(stones.map((stone) => [stone.index, stone]));
      const expected = list.slice(0, keep).map((entry) => byIndex.get(entry.index) ?? entry);
      const result = rewriteBlock(encode(list), keep, byIndex);
      expect(decodeBlock(result.bytes)).toEqual(expected);
      expect(result.bytes).toEqual(encode(expected));
      expect(result.head).toEqual(checkBlock(result.bytes));
    }),
  );
});

test('a damaged block is refused, wherever a bit has changed or the end is cut off', () => {
  fc.assert(
    fc.property(entries, fc.nat(), fc.nat(7), fc.boolean(), (list, at, bit, cut) => {
      const block = encode(list);
      block[at % block.length]! ^= 1 << bit;
      const damaged = cut ? encode(list).subarray(0, at % block.length) : block;
      expect(() => decodeBlock(damaged)).toThrow(FormatError);
      expect(() => rewriteBlock(damaged, 1, new Map())).toThrow(FormatError);
    }),
  );
});

test('any bytes give entries or a FormatError, never another error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      expect(() => decodeBlock(noise)).toThrow(FormatError);
    }),
  );
});

test('a tombstone of another term than its entry has is refused', () => {
  const list: LogEntry[] = [{ index: 5, term: 3, type: EntryType.command, data: Uint8Array.of(1) }];
  expect(() => rewriteBlock(encode(list), 1, new Map([[5, stoneOf(5, 4)]]))).toThrow(FormatError);
});
