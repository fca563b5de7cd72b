import { join } from 'node:path';
import { formatSummary } from '../src/cli/format-summary.js';
import { isGood } from '../src/cli/commands/demo.js';
import { EXIT } from '../src/cli/program.js';
import { DATA, GOOD, run } from './fixtures/command-line.js';

describe('help', () => {
  test('of the program names its command, on stdout', async () => {
    const { code, stdout, stderr } = await run(['--help']);
    expect(code).toBe(EXIT.ok);
    expect(stdout).toContain('Usage: discovery-node');
    expect(stdout).toContain('demo');
    expect(stderr).toBe('');
  });

  test('of the demonstration names every option with its default, the exit codes and examples', async () => {
    const { code, stdout } = await run(['demo', '--help']);
    expect(code).toBe(EXIT.ok);
    for (const word of [
      '--relays <n>',
      '--nodes <n>',
      '--hours <n>',
      '--seed <n>',
      '--json',
      'default: 3',
      'default: 24',
      'default: 1',
    ]) {
      expect(stdout).toContain(word);
    }
    expect(stdout).toContain('Exit codes: 0');
    expect(stdout).toContain('discovery-node demo --relays 500 --json');
  });

  test('the version', async () => {
    expect(await run(['--version'])).toEqual({ code: 0, stdout: '1.2.3\n', stderr: '' });
  });
});

describe('a command line that is wrong ends with 2 and says what to do', () => {
  test.each([
    [['demo', '--relays', '0'], 'It must be at least 1.'],
    [['demo', '--relays', 'many'], 'It must be a whole number.'],
    [['demo', '--relays', ''], 'It must be a whole number.'],
    [['demo', '--nodes', '3.5'], 'It must be a whole number.'],
    [['demo', '--seed', '1e99'], 'It must be a whole number.'],
    [['demo', '--hours'], 'argument missing'],
    [['demo', '--loud'], "unknown option '--loud'"],
    [['demo', 'now'], 'too many arguments'],
    [['dance'], "unknown command 'dance'"],
    [['demo', '--nodes', '2'], 'nodes must be a whole number from 3 to 11, not 2'],
    [['demo', '--nodes', '12'], 'nodes must be a whole number from 3 to 11, not 12'],
    [['demo', '--hours', '25'], 'hours must be a whole number from 1 to 24, not 25'],
  ])('%j', async (args, text) => {
    const { code, stdout, stderr } = await run(args);
    expect(code).toBe(EXIT.usage);
    expect(stderr).toContain(text);
    expect(stdout).toBe('');
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  test('no command at all shows the help', async () => {
    const { code, stderr } = await run([]);
    expect(code).toBe(EXIT.usage);
    expect(stderr).toContain('Usage: discovery-node');
  });
});

test('data that cannot be read is a failure: 3, one line that names the folder, no stack', async () => {
  const { code, stdout, stderr } = await run(['demo'], { dataFolder: join(DATA, 'nowhere') });
  expect(code).toBe(EXIT.failed);
  expect(stderr).toContain('nowhere');
  expect(stderr).toContain('[NODE_DATA_UNREADABLE]');
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(stdout).toBe('');
});

describe('isGood', () => {
  test('only when all is verified, nothing lost and nothing wrong', () => {
    expect(isGood(GOOD)).toBe(true);
    expect(isGood({ ...GOOD, verified: false })).toBe(false);
    expect(isGood({ ...GOOD, lost: 1 })).toBe(false);
    expect(isGood({ ...GOOD, wrong: 1 })).toBe(false);
  });
});

describe('formatSummary', () => {
  test('one fact a line, the names aligned', () => {
    const lines = formatSummary(GOOD).trim().split('\n');
    const column = lines[0]!.search(/\S+$/);
    const facts = new Map(lines.map((line) => [line.slice(0, column).trim(), line.slice(column)]));
    expect(Object.fromEntries(facts)).toMatchObject({
      nodes: '3',
      items: '60',
      rounds: '3',
      signatures: '3 in the first round, 2 at the least',
      verified: 'yes',
      failover: '1200 ms',
      lost: '0',
      wrong: '0',
      time: '4.2 s',
    });
    for (const line of lines) expect(line.slice(0, column)).toMatch(/ {2}$/);
  });

  test('what is bad is told as it is', () => {
    const text = formatSummary({ ...GOOD, verified: false, lost: 7, wrong: 2, signatures: [] });
    expect(text).toMatch(/verified +NO\n/);
    expect(text).toMatch(/lost +7\n/);
    expect(text).toMatch(/wrong +2\n/);
    expect(text).toMatch(/signatures +none\n/);
  });
});
