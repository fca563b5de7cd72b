import { generateKeyPairSync } from 'node:crypto';
import { SigningKey } from '@discovery-raft/psp-pki';
import { createLogger, type LoggerOptions } from '../src/index.js';
import { humanLine } from '../src/logging/human-line.js';

function logger(options: Partial<LoggerOptions> & { readonly isTTY?: boolean } = {}) {
  const lines: string[] = [];
  const output = { write: (line: string) => void lines.push(line), isTTY: options.isTTY ?? false };
  return { log: createLogger({ level: 'info', format: 'auto', env: {}, output, ...options }), lines };
}

test('for programs: a line of JSON each, with the base in it; below the level, nothing', () => {
  const { log, lines } = logger({ base: { node: 'one' } });
  log.debug('unheard');
  log.info('it runs', { port: 9100 });
  log.warn('alone');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    {
      level: 'info',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      node: 'one',
      data: { port: 9100 },
      message: 'it runs',
    },
    { level: 'warn', time: expect.any(String), node: 'one', message: 'alone' },
  ]);
});

test('for people on a terminal: time, level, message, facts; colours, but not with NO_COLOR', () => {
  const colours = logger({ isTTY: true });
  colours.log.error('it failed', { why: 'no reason' });
  expect(colours.lines[0]).toContain('\x1b[31merror\x1b[0m');
  const plain = logger({ isTTY: true, env: { NO_COLOR: '1' } });
  plain.log.error('it failed', { why: 'no reason', code: 'X_1', n: 5, error: new Error('the floor is wet') });
  expect(plain.lines[0]).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} error it failed why="no reason" code=X_1 n=5 error="the floor is wet"\n$/,
  );
  const chosen = logger({ format: 'human' });
  chosen.log.info('hello');
  expect(chosen.lines[0]).toMatch(/^[\d:.]+ info {2}hello\n$/);
});

test('keys and bytes are never written, wherever they hide', () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const seed = new Uint8Array(32).fill(0x61);
  const { log, lines } = logger({ level: 'debug' });
  log.debug('secrets', {
    seed: 'aaaaaaaa',
    deep: { privateKey: 'aaaaaaaa', password: 'aaaaaaaa', list: [{ secret: 'aaaaaaaa' }], pem: 'aaaaaaaa' },
    bytes: Buffer.from(seed),
    key: privateKey,
    signing: SigningKey.fromSeed(seed),
    error: Object.assign(new Error('wrapped', { cause: Object.assign(new Error('inner'), { seed }) }), { code: 'E' }),
  });
  expect(lines[0]).not.toMatch(/aaaa|6161|YWFh/);
  expect(JSON.parse(lines[0]!)).toMatchObject({
    data: {
      seed: '[withheld]',
      bytes: '[32 bytes]',
      key: '[withheld]',
      signing: '[withheld]',
      error: { name: 'Error', code: 'E', message: 'wrapped', cause: { message: 'inner' } },
    },
  });
});

test('what is large, deep, or goes round in circles is cut short', () => {
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  const { log, lines } = logger();
  log.info('much', { circle, text: 'x'.repeat(1e6), list: Array(1000).fill(1), big: 2n ** 70n, set: new Set([1]) });
  expect(lines[0]!.length).toBeLessThan(4000);
  expect(lines[0]).toContain('1180591620717411303424');
});

test('a line with no facts has no blank at its end', () => {
  const json = JSON.stringify({ time: '2026-01-01T10:11:12.345Z', level: 'info', message: 'x' });
  expect(humanLine(json, false)).toBe('10:11:12.345 info  x\n');
});
