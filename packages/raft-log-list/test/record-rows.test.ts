import fc from 'fast-check';
import { packHash } from '../src/state/hashing.js';
import { RecordRows, ROW_BYTES, ROW_WORDS, type FrozenRows } from '../src/state/record-rows.js';

function read(rows: FrozenRows, row: number): { index: number; hash: string } {
  const words = new Uint32Array(ROW_WORDS + 1);
  rows.copy(row, words, 1);
  const bytes = new Uint8Array(words.buffer, 4, ROW_BYTES);
  const index = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0);
  return { index: Number(index), hash: packHash(bytes.subarray(8)) };
}

function hashOf(i: number): string {
  return packHash(Uint8Array.from({ length: 32 }, (_, at) => (i * 31 + at) & 0xff));
}

describe('the rows of records', () => {
  it('stay in each frozen state what they were, however often they are given to others', () => {
    const step = fc.record({ take: fc.boolean(), at: fc.nat(600), freeze: fc.integer({ min: 0, max: 9 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const rows = new RecordRows();
        const alive = new Map<number, number>();
        let next = 2 ** 40;
        const add = (): void => {
          alive.set(rows.add(next, hashOf(next)), next);
          next++;
        };
        for (let i = 0; i < 600; i++) add();
        const frozen: { rows: FrozenRows; alive: Map<number, number> }[] = [];
        for (const { take, at, freeze } of steps) {
          const row = [...alive.keys()][at % Math.max(1, alive.size)];
          if (take && row !== undefined) {
            rows.remove(row);
            alive.delete(row);
          } else add();
          if (freeze === 0) frozen.push({ rows: rows.freeze(), alive: new Map(alive) });
        }
        frozen.push({ rows: rows.freeze(), alive });
        for (const { rows: then, alive: those } of frozen) {
          for (const [row, index] of those) expect(read(then, row)).toEqual({ index, hash: hashOf(index) });
        }
      }),
      { numRuns: 30 },
    );
  });

  it('are given again when their record has left', () => {
    const rows = new RecordRows();
    const row = rows.add(1, hashOf(1));
    rows.remove(row);
    expect(rows.add(2, hashOf(2))).toBe(row);
  });
});
