import { EXIT, runCli } from '../src/cli/program.js';
import { runDemo, type DemoOptions, type DemoSummary } from '../src/demo/run-demo.js';
import { silentProgress, TerminalProgress } from '../src/index.js';

jest.mock('../src/demo/run-demo.js', () => ({ runDemo: jest.fn() }));

const demo = jest.mocked(runDemo);
const GOOD: DemoSummary = {
  nodes: 3,
  items: 60,
  rounds: 3,
  missed: 0,
  signatures: [3],
  verified: true,
  failoverMs: 1200,
  roundMs: 90,
  lost: 0,
  wrong: 0,
  seconds: 4.2,
  wireBytesPerItem: 4000,
  diskBytesPerItem: null,
  published: 12_000,
  catchUpMs: null,
  peakRssMb: 200,
};

async function run(args: readonly string[], stderrIsTTY = false) {
  let stdout = '';
  let stderr = '';
  const code = await runCli(['demo', ...args], {
    dataFolder: 'the data',
    version: '0.0.0',
    stdout: { isTTY: true, write: (text) => (stdout += text) },
    stderr: { isTTY: stderrIsTTY, write: (text) => (stderr += text) },
    env: {},
  });
  return { code, stdout, stderr };
}

function given(): DemoOptions {
  return demo.mock.calls.at(-1)![0];
}

test.each([
  [{}, EXIT.ok],
  [{ lost: 1 }, EXIT.lostOrWrong],
  [{ wrong: 1 }, EXIT.lostOrWrong],
  [{ verified: false }, EXIT.lostOrWrong],
])(
  'the exit code tells what came of it: %j ends with %i, and the report is printed all the same',
  async (bad, expected) => {
    demo.mockResolvedValue({ ...GOOD, ...bad });
    const report = await run([]);
    expect(report.code).toBe(expected);
    expect(report.stdout).toContain('peak memory');
    const json = await run(['--json']);
    expect(json.code).toBe(expected);
    expect(json.stdout).toBe(`${JSON.stringify({ ...GOOD, ...bad })}\n`);
  },
);

test('the options reach the demonstration; without --relays it takes them all', async () => {
  demo.mockResolvedValue(GOOD);
  await run(['--relays', '500', '--nodes', '5', '--hours', '2', '--seed', '-7']);
  expect(given()).toMatchObject({ dataFolder: 'the data', relays: 500, nodes: 5, hours: 2, seed: -7 });
  await run([]);
  expect(given()).toMatchObject({ nodes: 3, hours: 24, seed: 1 });
  expect(given()).not.toHaveProperty('relays');
});

test('progress goes to stderr; with --json only where a person looks at it', async () => {
  demo.mockResolvedValue(GOOD);
  await run([]);
  expect(given().progress).toBeInstanceOf(TerminalProgress);
  await run(['--json']);
  expect(given().progress).toBe(silentProgress);
  await run(['--json'], true);
  expect(given().progress).toBeInstanceOf(TerminalProgress);
});

test('a failure ends with 3 and its message on stderr, whatever was thrown', async () => {
  demo.mockRejectedValue(new Error('the floor is wet'));
  expect(await run(['--json'])).toEqual({ code: EXIT.failed, stdout: '', stderr: 'the floor is wet\n' });
  demo.mockRejectedValue('no error at all');
  expect(await run([])).toMatchObject({ code: EXIT.failed, stderr: 'no error at all\n' });
});
