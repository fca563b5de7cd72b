import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT } from '../src/cli/exit-codes.js';
import { errorText, plainLine, plainText } from '../src/cli/plain-text.js';
import { formatTrustRoot } from '../src/keys/trust-root-file.js';
import { run } from './fixtures/command-line.js';
import { newFolder, removeFolders } from './fixtures/folder.js';
import { network } from './fixtures/people.js';

/*
 * What the command line says when something is wrong: what happened and why, and nothing that a terminal acts on.
 */
const folder = newFolder();
const trustRoot = join(folder, 'root.json');

const net = join(folder, 'net');

beforeAll(async () => {
  writeFileSync(trustRoot, formatTrustRoot(network(3).root));
  await run(['init', '--nodes', '1', '--dir', net, '--rsa-bits', '2048']);
});
afterAll(removeFolders);

describe('the text of an error', () => {
  test('has each reason that says more, once', () => {
    const system = new Error('listen EADDRINUSE');
    const middle = new Error('nobody can listen: listen EADDRINUSE', { cause: system });
    expect(errorText(new Error('it cannot start', { cause: middle }))).toBe(
      'it cannot start\n  because: nobody can listen: listen EADDRINUSE',
    );
    expect(errorText('no error at all')).toBe('no error at all');
    expect(errorText(Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }))).toBe('ECONNREFUSED');
  });

  test('ends, though an error is its own cause', () => {
    const error = new Error('again');
    error.cause = error;
    expect(errorText(error)).toBe('again');
  });

  test('moves no cursor, rings no bell, and turns no line around', () => {
    expect(plainText('a\x1b[2Jb\x07\u009b1m\u202ec\nd')).toBe('a\\u001b[2Jb\\u0007\\u009b1m\\u202ec\nd');
    expect(plainLine('a\r\nb')).toBe('a\\u000d\\nb');
    expect(plainText('ä – 東京 …')).toBe('ä – 東京 …');
  });
});

describe('a file', () => {
  test('that is not there is told of with the reason', async () => {
    const absent = join(folder, 'absent');
    expect(await run(['pull', '--from', absent, '--trust-root', trustRoot])).toMatchObject({
      code: EXIT.unreachable,
      stderr: expect.stringMatching(/because: ENOENT.*absent/),
    });
    expect(await run(['publish', absent, '--trust-root', trustRoot, '--node', '127.0.0.1:1'])).toMatchObject({
      code: EXIT.usage,
      stderr: expect.stringMatching(/absent cannot be read.*\n {2}because: ENOENT/),
    });
  });

  test('that never ends is read as far as a file of its kind may go', async () => {
    for (const args of [
      ['config', 'check', '/dev/zero'],
      ['verify', trustRoot, '--trust-root', '/dev/zero'],
      ['publish', '/dev/zero', '--trust-root', trustRoot, '--node', '127.0.0.1:1'],
    ]) {
      expect(await run(args)).toMatchObject({
        code: EXIT.usage,
        stderr: expect.stringMatching(/it has more than \d+ bytes/),
      });
    }
  });

  test('of garbage is quoted without what a terminal acts on', async () => {
    const garbage = join(folder, 'garbage');
    writeFileSync(garbage, '\x1b]0;mine\x07');
    const { code, stderr } = await run(['verify', trustRoot, '--trust-root', garbage]);
    expect(code).toBe(EXIT.usage);
    expect(stderr).toContain('\\u001b');
    expect(plainText(stderr)).toBe(stderr);
  });

  test('that cannot be written is named as it was given', async () => {
    const file = join(folder, 'nowhere', 'relay.pem');
    const { code, stderr } = await run(['keys', 'publisher', file, '--authorities', join(net, 'authorities')]);
    expect(code).toBe(EXIT.usage);
    expect(stderr).toContain(`${file} cannot be written. Its folder must exist`);
  });
});

describe('config check tells what is not wrong and could be better', () => {
  const check = async (...args: string[]): Promise<string> => {
    const file = join(net, 'node-1', 'node.yaml');
    const { code, stdout } = await run(['config', 'check', file, '--set', 'consensus.standalone=false', ...args]);
    expect(code).toBe(0);
    return stdout;
  };

  test.each([
    ['prefer', /hint: raft\.signatures is prefer: .*Set it to require, on all nodes, when .*status/],
    ['off', /hint: raft\.signatures is off: .*Set it to prefer/],
    ['require', /^[^\n]* is good\.\n$/],
  ])('signatures of Raft packets: %s', async (policy, words) => {
    expect(await check('--set', `raft.signatures=${policy}`)).toMatch(words);
  });

  test('as JSON', async () => {
    const { hints } = JSON.parse(await check('--set', 'raft.signatures=prefer', '--json')) as { hints: string[] };
    expect(hints).toHaveLength(1);
  });
});

describe('arguments that make no sense are refused, with a word on them', () => {
  test.each([
    [['publish', 'packet.bin', '--keys', 'relay.pem', '--address', '192.0.2.1:1'], /not both/],
    [['publish', 'packet.bin', '--node', 'nonsense'], /--node.*nonsense.*host:port/],
    [['pull', '--node', '127.0.0.1:99999'], /--node.*host:port/],
    [['clock', 'set', 'tomorrow'], /tomorrow.*Unix seconds/],
    [['round', '--next', '--timeout', '3601'], /--timeout.*at most 3600/],
    [['pull', '--timeout', '9999999999'], /--timeout.*at most 3600/],
    [['round', '--next', '--now'], /--now.*cannot be used with.*--next/],
  ])('%j', async (args, words) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout }).toEqual({ code: EXIT.usage, stdout: '' });
    expect(stderr).toMatch(words);
  });
});
