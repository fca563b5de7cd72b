import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const args = process.argv.slice(2);

// What `require` loads it reads file by file, where `import` asks the thread pool five times for each of some five hundred: a
// sixth of the time until the daemon has its modules. They are the same modules: `import` finds them here.
const load = createRequire(import.meta.url);
load('./cli/program.js');
if (args[0] === 'start') {
  for (const module of ['./cli/commands/start.js', './daemon/deployment.js', './daemon/run-daemon.js']) load(module);
}

const [{ runCli }, { mindOutput }] = await Promise.all([import('./cli/program.js'), import('./cli/mind-output.js')]);
mindOutput(process);
process.exitCode = await runCli(args, {
  dataFolder: fileURLToPath(new URL('../data', import.meta.url)),
  programFile: fileURLToPath(import.meta.url),
  version,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
});
