import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DISCOVERY_MUTANTS } from '../src/discovery/mutants/catalogue.js';
import { applyEdit } from '../src/mutants/mutant.js';

const consensus = join(__dirname, '..', '..', 'discovery-consensus-fsm', 'src');

describe('mutants of the discovery consensus', () => {
  test.each(DISCOVERY_MUTANTS.map((mutant) => [mutant.name, mutant] as const))(
    '%s changes the source',
    (_, { edits }) => {
      for (const edit of edits) {
        const source = readFileSync(join(consensus, `${edit.file}.ts`), 'utf8');
        expect(applyEdit(source, edit)).not.toBe(source);
      }
    },
  );

  test('there are at least eight, each with a name of its own', () => {
    expect(DISCOVERY_MUTANTS.length).toBeGreaterThanOrEqual(8);
    expect(new Set(DISCOVERY_MUTANTS.map(({ name }) => name)).size).toBe(DISCOVERY_MUTANTS.length);
  });
});
