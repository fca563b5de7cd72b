// `npm run bench`: builds what has changed, then measures the built packages as a user would run them.
import { run } from '../checks/command.mjs';

const build = await run('tsc', ['-b', 'tools/bench']);
if (build.ok) {
  await import(new URL('out-tsc/run.js', import.meta.url).href);
} else {
  process.stderr.write(`The build failed:\n${build.output}`);
  process.exitCode = 1;
}
