#!/usr/bin/env node
// `npm test`: everything that must hold before a change is merged, in one command on any machine.
//
// The last line is `N passed, N failed`: tests of all packages plus the single checks of the other steps. The exit code
// is 0 only if something ran and nothing failed.
import { parseArgs } from 'node:util';
import { createReport } from './report.mjs';
import { steps } from './steps.mjs';

const USAGE = `npm test                    all steps
npm test -- --only NAME     one step (may be given several times)
npm test -- --list          the steps and what each shows
`;

function readArguments() {
  try {
    const options = /** @type {const} */ ({
      only: { type: 'string', multiple: true },
      list: { type: 'boolean' },
      help: { type: 'boolean' },
    });
    return parseArgs({ options }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

const values = readArguments();

if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}

const width = Math.max(...steps.map((step) => step.name.length));

if (values.list) {
  for (const step of steps) process.stdout.write(`${step.name.padEnd(width)}  ${step.shows}\n`);
  process.exit(0);
}

const unknown = values.only?.filter((name) => !steps.some((step) => step.name === name)) ?? [];
if (unknown.length > 0) {
  process.stderr.write(`No step is called ${unknown.join(', ')}; npm test -- --list names them.\n`);
  process.exit(2);
}

const report = createReport(width);
const begin = performance.now();
let passed = 0;
let failed = 0;

/** @param {import('./steps.mjs').Step} step */
async function take(step) {
  report.started(step.name);
  const since = performance.now();
  const outcome = await step.run().catch((error) => ({ passed: 0, failed: 1, output: String(error?.stack ?? error) }));
  // A step that looked at nothing has shown nothing.
  const empty = outcome.passed + outcome.failed === 0;
  const result = empty ? { passed: 0, failed: 1, output: 'Nothing was checked.' } : outcome;
  passed += result.passed;
  failed += result.failed;
  report.finished(step.name, result, performance.now() - since);
}

const queue = steps.filter(({ name }) => values.only?.includes(name) ?? true);

/** Takes modest steps from the queue, one after the other, until another kind is next. */
async function takeModest() {
  while (queue[0]?.isModest) await take(/** @type {import('./steps.mjs').Step} */ (queue.shift()));
}

while (queue.length > 0) {
  await Promise.all([takeModest(), takeModest()]);
  const step = queue.shift();
  if (step !== undefined) await take(step);
}

report.closed(passed, failed, performance.now() - begin);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
