// All packages in one Jest process; the counts come from its own report, not from its words.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { run } from '../command.mjs';
import { packagesOnDisk } from '../workspace.mjs';

/** @returns {Promise<import('../report.mjs').Outcome>} */
export async function tests() {
  const folder = await mkdtemp(join(tmpdir(), 'discovery-raft-jest-'));
  const file = join(folder, 'report.json');
  try {
    const args = ['--config', 'tools/jest/workspace.cjs', '--ci', '--maxWorkers', '100%'];
    const { ok, output } = await run('jest', [...args, '--json', '--outputFile', file, '--reporters', 'default']);
    const report = JSON.parse(await readFile(file, 'utf8').catch(() => 'null'));
    if (report === null) return { passed: 0, failed: 1, output };
    return judge(report, ok, output.slice(0, output.lastIndexOf('\n{"numFailed')));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param {any} report @param {boolean} ok @param {string} output @returns {import('../report.mjs').Outcome} */
function judge(report, ok, output) {
  const complaints = [];
  for (const { folder, path } of packagesOnDisk()) {
    const files = report.testResults.filter((/** @type {any} */ file) => file.name.startsWith(path + sep));
    const executed = files.flatMap((/** @type {any} */ file) => file.assertionResults);
    if (executed.length === 0) complaints.push(`packages/${folder} has no test that ran.`);
  }
  const skipped = report.numPendingTests + report.numTodoTests;
  if (skipped > 0) complaints.push(`${skipped} tests were skipped or are still to be written.`);
  // A file that cannot be loaded counts no tests, and a failure outside of tests fails the run only.
  const broken = report.numFailedTests + report.numRuntimeErrorTestSuites + complaints.length;
  return {
    passed: report.numPassedTests,
    failed: broken === 0 && !ok ? 1 : broken,
    note: `${report.numTotalTestSuites} files`,
    output: [output, ...complaints].join('\n'),
  };
}
