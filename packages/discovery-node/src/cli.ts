import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runCli } from './cli/program.js';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

process.exitCode = await runCli(process.argv.slice(2), {
  dataFolder: fileURLToPath(new URL('../data', import.meta.url)),
  programFile: fileURLToPath(import.meta.url),
  version,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
});
