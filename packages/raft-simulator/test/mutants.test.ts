import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MUTANTS } from '../src/mutants/catalogue.js';
import { applyEdit } from '../src/mutants/mutant.js';

const core = join(__dirname, '..', '..', 'raft-core', 'src');

describe('mutants', () => {
  test.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))('%s changes the source', (_, { edits }) => {
    for (const edit of edits) {
      const source = readFileSync(join(core, `${edit.file}.ts`), 'utf8');
      expect(applyEdit(source, edit)).not.toBe(source);
    }
  });

  test('there are at least fifteen, each with a name of its own', () => {
    expect(MUTANTS.length).toBeGreaterThanOrEqual(15);
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  });

  test('an anchor that is missing or stands twice is refused', () => {
    const edit = { file: 'x', find: 'a', replace: 'b' };
    expect(applyEdit('1 a 2', edit)).toBe('1 b 2');
    expect(() => applyEdit('1 2', edit)).toThrow('0 places');
    expect(() => applyEdit('a a', edit)).toThrow('2 places');
  });
});
