import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawTransitions } from '@discovery-raft/discovery-consensus-fsm';
import { attestationsOf, quorumOf } from '../src/discovery/checkers/quorum.js';
import { DISCOVERY_MUTANTS } from '../src/discovery/mutants/catalogue.js';
import { liarsOf } from '../src/index.js';

const root = join(__dirname, '..', '..', '..');
const doc = readFileSync(join(root, 'docs', 'consensus.md'), 'utf8');
const consensusTests = join(root, 'packages', 'discovery-consensus-fsm', 'test');
const suites: Readonly<Record<string, string>> = {
  stories: join(__dirname, 'discovery-stories.test.ts'),
  adversity: join(consensusTests, 'adversity.test.ts'),
  publish: join(consensusTests, 'publish.test.ts'),
  'poisoned-list': join(consensusTests, 'poisoned-list.test.ts'),
  'clock-set': join(consensusTests, 'clock-set.test.ts'),
};

/** Rows of the table that follows a heading. */
function cells(heading: string): string[][] {
  const table = doc
    .slice(doc.indexOf(heading))
    .split('\n')
    .filter((line) => line.startsWith('| '));
  return table.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

describe('docs/consensus.md', () => {
  test('draws the states as they are', () => {
    expect(doc).toContain(`\`\`\`mermaid\n${drawTransitions()}\`\`\``);
  });

  test('names tests that there are', () => {
    const named = cells('### Attacks').flatMap(([, tests = '']) => tests.split('<br>'));
    expect(named.length).toBeGreaterThan(20);
    for (const one of named) {
      const [suite = '', ...title] = one.split(': ');
      const source = readFileSync(suites[suite] ?? '', 'utf8');
      expect(source).toContain(`'${title.join(': ')}'`);
    }
  });

  test('names every checker', () => {
    const folder = join(__dirname, '..', 'src', 'discovery', 'checkers');
    const parts = new Set(['checker.ts', 'panel.ts', 'quorum.ts', 'known-packets.ts']);
    const files = readdirSync(folder).filter((file) => !parts.has(file));
    for (const file of files) expect(doc).toContain(`\`${file.slice(0, -'.ts'.length)}\``);
  });

  test('says how many mutants there are', () => {
    expect(doc).toContain(`breaks ${DISCOVERY_MUTANTS.length} rules`);
  });

  test('has the numbers of n and f right', () => {
    const rows = cells('## n and f').filter(([n]) => /^\d+$/.test(n ?? ''));
    expect(rows.length).toBeGreaterThan(7);
    for (const row of rows) {
      const [n = 0, f, quorum = 0, down, attestations] = row.map(Number);
      expect([f, quorum, down, attestations]).toEqual([liarsOf(n), quorumOf(n, 'safe'), n - quorum, attestationsOf(n)]);
    }
  });
});
