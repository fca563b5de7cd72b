/** docs/raft-coverage.md names files and titles of tests: they must exist, and its words must mean something. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const TESTS = join(__dirname, '..');
const MAP = join(__dirname, '../../../../docs/raft-coverage.md');
const STATUS = ['covered', 'partly', 'open', 'not offered'];

interface Row {
  readonly name: string;
  readonly status: string;
  readonly tests: readonly { readonly file: string; readonly title: string }[];
  readonly remark: string;
}

const rows = rowsOf(readFileSync(MAP, 'utf8'));

describe('the coverage map', () => {
  test.each([
    ['26 claims of the paper', /^Test(?!Raft_|PeersJSON_)/, 26],
    ['32 interaction scripts', /^[a-z0-9]+(_[a-z0-9]+)*$/, 32],
    ['74 + 9 tests of hashicorp/raft', /^TestRaft_/, 83],
    ['3 tests of peers.json', /^TestPeersJSON_/, 3],
  ])('holds %s, each once', (_, pattern, count) => {
    const names = rows.map(({ name }) => name).filter((name) => pattern.test(name));
    expect(names).toHaveLength(count);
    // RemoveLeader is the name of a test in two of hashicorp/raft's suites.
    expect(new Set(names).size).toBe(pattern.test('TestRaft_RemoveLeader') ? count - 1 : count);
  });

  test('says of each whether it is covered, by which tests, or why not', () => {
    for (const { name, status, tests, remark } of rows) {
      expect({ name, status, known: STATUS.includes(status) }).toMatchObject({ known: true });
      const tested = status === 'covered' || status === 'partly';
      expect({ name, tested: tests.length > 0 }).toEqual({ name, tested });
      if (status !== 'covered') expect({ name, remark }).not.toEqual({ name, remark: '' });
    }
  });

  test.each(rows.flatMap(({ name, tests }) => tests.map(({ file, title }) => [name, file, title] as const)))(
    '%s: %s %s',
    (_, file, title) => {
      const path = join(TESTS, file);
      expect(existsSync(path)).toBe(true);
      if (file.endsWith('.txt')) expect(title).toBe('');
      else expect(titlesOf(readFileSync(path, 'utf8'))).toContain(title);
    },
  );

  test('names every script', () => {
    const named = new Set(rows.flatMap(({ tests }) => tests.map(({ file }) => file)));
    const scripts = readdirSync(join(__dirname, 'scripts')).map((file) => `scenarios/scripts/${file}`);
    expect(scripts.filter((file) => !named.has(file))).toEqual([]);
  });
});

/** The rows of all tables but their heads. */
function rowsOf(markdown: string): Row[] {
  const lines = markdown.split('\n').filter((line) => line.startsWith('|') && !/^\|\s*-/.test(line));
  const cells = lines.map((line) =>
    line
      .slice(1, -1)
      .split(' | ')
      .map((cell) => cell.replace(/\|$/, '').trim()),
  );
  return cells
    .filter(([, status]) => status !== 'status')
    .map(([name = '', status = '', tests = '', remark = '']) => ({ name, status, tests: testsOf(tests), remark }));
}

function testsOf(cell: string): Row['tests'] {
  if (cell === '') return [];
  return cell.split('<br>').map((item) => {
    const [, file = '', title = ''] = /^`([^`]+)`(?: (.+))?$/.exec(item) ?? [];
    return { file, title };
  });
}

/** First arguments of `test(...)` and of what `test.each(...)` returns, as they stand in the source. */
function titlesOf(source: string): string[] {
  const calls = source.matchAll(/(?:\btest|\))\(\s*(?:'([^'\n]+)'|"([^"\n]+)")\s*,/g);
  return [...calls].map(([, single, double]) => single ?? double ?? '');
}
