import { EntryType, type LogEntry } from '@discovery-raft/raft-core';
import fc from 'fast-check';
import { encodeRaftMessage, EntriesCache } from '../src/index.js';
import { appendEntries, codeOf } from './messages.js';
import { toHex } from './vectors.js';

function batch(from: number, count: number): LogEntry[] {
  return Array.from({ length: count }, (_, i) => ({
    index: from + i,
    term: 1,
    type: EntryType.command,
    data: new Uint8Array(100).fill(from + i),
  }));
}

test('a cache changes no byte of any request', () => {
  const cache = new EntriesCache({ maxBatches: 3 });
  fc.assert(
    fc.property(fc.array(appendEntries, { minLength: 1, maxLength: 5 }), (requests) => {
      for (const request of [...requests, ...requests]) {
        const plain = encodeRaftMessage(request);
        expect(toHex(encodeRaftMessage(request, cache).packet)).toBe(toHex(plain.packet));
      }
    }),
  );
});

test('a batch is encoded once, also when it comes in another array', () => {
  const cache = new EntriesCache();
  const entries = batch(1, 3);
  const first = cache.encode(entries);
  expect(cache.encode(entries)).toBe(first);
  expect(cache.encode([...entries])).toBe(first);
  expect(cache.encode(entries.slice(0, 2))).not.toBe(first);
});

test('an entry in the middle that was redacted is noticed', () => {
  const cache = new EntriesCache();
  const entries = batch(1, 3);
  const first = cache.encode(entries);
  const tombstone: LogEntry = { index: 2, term: 1, type: EntryType.tombstone, data: new Uint8Array(32) };
  const redacted = [entries[0]!, tombstone, entries[2]!];
  expect(toHex(cache.encode(redacted))).not.toBe(toHex(first));
});

test('the oldest batch goes when there are too many, or too many bytes', () => {
  const [a, b, c] = [batch(1, 1), batch(2, 1), batch(3, 1)];
  const few = new EntriesCache({ maxBatches: 2 });
  const first = few.encode(a);
  few.encode(b);
  few.encode(c);
  expect(few.encode(a)).not.toBe(first);
  const size = first.length;
  const small = new EntriesCache({ maxBytes: 2 * size });
  for (const each of [a, b, c]) small.encode(each);
  expect(small.rememberedBytes).toBe(2 * size);
  small.encode(batch(1, 9));
  expect(small.rememberedBytes).toBe(2 * size);
});

test('a batch that cannot be encoded is not remembered', () => {
  const cache = new EntriesCache();
  const bad = [{ ...batch(1, 1)[0]!, term: -1 }];
  expect(codeOf(() => cache.encode(bad))).toBe('ENVELOPE_INVALID_VALUE');
  expect(codeOf(() => cache.encode(bad))).toBe('ENVELOPE_INVALID_VALUE');
  expect(cache.rememberedBytes).toBe(0);
});

test('heartbeats take no place', () => {
  const cache = new EntriesCache({ maxBatches: 1 });
  const entries = batch(1, 1);
  const first = cache.encode(entries);
  for (let i = 0; i < 3; i++) cache.encode([]);
  expect(cache.encode(entries)).toBe(first);
});
