// Runs one command to its end and keeps what it said.
import { spawn } from 'node:child_process';
import { delimiter, join, resolve } from 'node:path';

/** The workspace's root folder. */
export const root = resolve(import.meta.dirname, '../..');

/** Whether output may hold colour: a terminal, unless NO_COLOR or CI say otherwise. */
export const coloured = process.stdout.isTTY === true && !process.env['NO_COLOR'];

// A command that hangs should fail the run rather than the CI machine's patience.
const limitMs = 10 * 60 * 1000;

function environment() {
  const { FORCE_COLOR: _force, ...inherited } = process.env;
  return {
    ...inherited,
    PATH: [join(root, 'node_modules/.bin'), process.env['PATH']].join(delimiter),
    NX_DAEMON: 'false',
    NX_TUI: 'false',
    NX_NO_CLOUD: 'true',
    NX_SKIP_NX_CACHE: process.env['CI'] ? 'true' : (process.env['NX_SKIP_NX_CACHE'] ?? ''),
    ...(coloured ? { FORCE_COLOR: '1' } : { NO_COLOR: '1', FORCE_COLOR: '0' }),
  };
}

/**
 * Runs a command with no standard input and collects both of its output streams in the order they came.
 *
 * @param {string} command looked up in node_modules/.bin first
 * @param {readonly string[]} args
 * @param {{ cwd?: string }} [options]
 * @returns {Promise<{ ok: boolean, output: string }>} never rejects; a command that cannot start is not ok
 */
export function run(command, args, { cwd = root } = {}) {
  return new Promise((done) => {
    const child = spawn(command, args, { cwd, env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
    /** @type {Buffer[]} */
    const chunks = [];
    const timer = setTimeout(() => {
      chunks.push(Buffer.from(`\n${command}: stopped after ${limitMs / 60_000} minutes\n`));
      child.kill('SIGKILL');
    }, limitMs);
    const finish = (/** @type {boolean} */ ok) => {
      clearTimeout(timer);
      done({ ok, output: Buffer.concat(chunks).toString() });
    };
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    child.on('error', (error) => {
      chunks.push(Buffer.from(`${command}: ${error.message}\n`));
      finish(false);
    });
    child.on('close', (code) => finish(code === 0));
  });
}

/**
 * One command as one check.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string }} [options]
 * @returns {Promise<import('./report.mjs').Outcome>}
 */
export async function check(command, args, options) {
  const { ok, output } = await run(command, args, options);
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, output };
}
