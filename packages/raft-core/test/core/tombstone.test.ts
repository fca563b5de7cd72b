import fc from 'fast-check';
import { encodeSuperseding, supersedingIndex } from '../../src/core/tombstone.js';
import { EntryType, type LogEntry } from '../../src/index.js';

function tombstone(extensions?: Uint8Array): LogEntry {
  const data = new Uint8Array(32);
  return { index: 1, term: 1, type: EntryType.tombstone, data, ...(extensions ? { extensions } : {}) };
}

describe('what a tombstone says of the entry that superseded it', () => {
  test('is read as it was written, for every index', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (index) => {
        expect(supersedingIndex(tombstone(encodeSuperseding(index)))).toBe(index);
      }),
      { seed: 8, numRuns: 300 },
    );
    expect([...encodeSuperseding(0x0102030405)]).toEqual([0, 0, 0, 1, 2, 3, 4, 5]);
    expect(supersedingIndex(tombstone(encodeSuperseding(Number.MAX_SAFE_INTEGER)))).toBe(Number.MAX_SAFE_INTEGER);
  });

  test.each([
    ['no extensions', undefined],
    ['too few bytes', new Uint8Array(7)],
    ['too many bytes', new Uint8Array(9)],
    ['an index that is no safe integer', new Uint8Array(8).fill(255)],
  ])('is unknown with %s', (_, extensions) => {
    expect(supersedingIndex(tombstone(extensions))).toBeUndefined();
  });

  test('is nothing that another entry says', () => {
    const command: LogEntry = { ...tombstone(encodeSuperseding(5)), type: EntryType.command };
    expect(supersedingIndex(command)).toBeUndefined();
  });
});
