import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawTransitions } from '@discovery-raft/discovery-consensus-fsm';
import { attestationsOf, quorumOf } from '../src/discovery/checkers/quorum.js';
import { DISCOVERY_MUTANTS } from '../src/discovery/mutants/catalogue.js';
import { liarsOf } from '../src/index.js';

const root = join(__dirname, '..', '..', '..');
const doc = readFileSync(join(root, 'docs', 'consensus.md'), 'utf8');
/** Rows of the first table after a heading. */
function cells(heading: string): string[][] {
  const lines = doc.slice(doc.indexOf(heading)).split('\n');
  const begin = lines.findIndex((line) => line.startsWith('| '));
  const end = lines.findIndex((line, i) => i > begin && !line.startsWith('| '));
  return lines.slice(begin + 2, end === -1 ? undefined : end).map((line) =>
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
    const files = new Map(cells('Where they stand').map(([suite = '', link = '']) => [suite, link]));
    const sources = new Map<string, string>();
    for (const [suite, link] of files) {
      const file = /^\[(.*)\]\(\.\.\/\1\)$/.exec(link)?.[1] ?? `no link of ${suite}`;
      sources.set(suite, readFileSync(join(root, file), 'utf8'));
    }
    const named = cells('### Attacks').flatMap(([, tests = '']) => tests.split('<br>'));
    expect(named.length).toBeGreaterThan(50);
    const missing = named.filter((one) => {
      const [suite = '', ...title] = one.split(': ');
      return sources.get(suite)?.includes(`'${title.join(': ')}'`) !== true;
    });
    expect(missing).toEqual([]);
    expect([...files.keys()].filter((suite) => !named.some((one) => one.startsWith(`${suite}: `)))).toEqual([]);
  });

  test('names every checker', () => {
    const folder = join(__dirname, '..', 'src', 'discovery', 'checkers');
    const parts = new Set(['checker.ts', 'panel.ts', 'quorum.ts', 'known-packets.ts', 'committees.ts']);
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
