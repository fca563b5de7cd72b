// `npm start`: builds what has changed and runs the demonstration; arguments go to it (`npm start -- --json`).
// Standard output belongs to the program alone: a build that fails is told on standard error.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root, run } from './checks/command.mjs';

const build = await run('tsc', ['-b', 'packages/discovery-node/tsconfig.lib.json']);
if (!build.ok) {
  process.stderr.write(`The build failed:\n${build.output}`);
  process.exit(1);
}

const cli = join(root, 'packages/discovery-node/dist/cli.js');
const child = spawn(process.execPath, [cli, 'demo', ...process.argv.slice(2)], { stdio: 'inherit' });

// The terminal sends its signals to both processes; this one stays to hand on the other's exit code.
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => child.kill(signal));
}
child.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
child.on('close', (code) => {
  process.exitCode = code ?? 1;
});
