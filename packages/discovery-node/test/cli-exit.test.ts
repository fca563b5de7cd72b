import { EXIT } from '../src/cli/program.js';
import { runDemo, type DemoOptions } from '../src/demo/run-demo.js';
import { silentProgress, TerminalProgress } from '../src/index.js';
import { GOOD, run } from './fixtures/command-line.js';

jest.mock('../src/demo/run-demo.js', () => ({ runDemo: jest.fn() }));

const demo = jest.mocked(runDemo);
/** Runs the demonstration. */
const runDemonstration = (args: readonly string[], stderrIsTTY = false): ReturnType<typeof run> =>
  run(['demo', ...args], { dataFolder: 'the data', stderrIsTTY });

function given(): DemoOptions {
  return demo.mock.calls.at(-1)![0];
}

test.each([
  [{}, EXIT.ok],
  [{ lost: 1 }, EXIT.lostOrWrong],
  [{ wrong: 1 }, EXIT.lostOrWrong],
  [{ verified: false }, EXIT.lostOrWrong],
  [{ identical: 5 }, EXIT.lostOrWrong],
])(
  'the exit code tells what came of it: %j ends with %i, and the report is printed all the same',
  async (bad, expected) => {
    demo.mockResolvedValue({ ...GOOD, ...bad });
    const report = await runDemonstration([]);
    expect(report.code).toBe(expected);
    expect(report.stdout).toContain('peak memory');
    const json = await runDemonstration(['--json']);
    expect(json.code).toBe(expected);
    expect(json.stdout).toBe(`${JSON.stringify({ ...GOOD, ...bad })}\n`);
  },
);

test('the options reach the demonstration; without --relays it takes them all', async () => {
  demo.mockResolvedValue(GOOD);
  await runDemonstration(['--relays', '500', '--nodes', '5', '--hours', '2', '--seed', '-7']);
  expect(given()).toMatchObject({ dataFolder: 'the data', relays: 500, nodes: 5, hours: 2, seed: -7 });
  await runDemonstration([]);
  expect(given()).toMatchObject({ nodes: 3, hours: 24, seed: 1 });
  expect(given()).not.toHaveProperty('relays');
});

test('progress goes to stderr; with --json only where a person looks at it', async () => {
  demo.mockResolvedValue(GOOD);
  await runDemonstration([]);
  expect(given().progress).toBeInstanceOf(TerminalProgress);
  await runDemonstration(['--json']);
  expect(given().progress).toBe(silentProgress);
  await runDemonstration(['--json'], true);
  expect(given().progress).toBeInstanceOf(TerminalProgress);
});

test('a failure ends with 3 and its message on stderr, whatever was thrown', async () => {
  demo.mockRejectedValue(new Error('the floor is wet'));
  expect(await runDemonstration(['--json'])).toEqual({ code: EXIT.failed, stdout: '', stderr: 'the floor is wet\n' });
  demo.mockRejectedValue('no error at all');
  expect(await runDemonstration([])).toMatchObject({ code: EXIT.failed, stderr: 'no error at all\n' });
});
