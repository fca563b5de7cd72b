// Lint of the packages goes through nx, which gives the boundary rules its project graph; the tools need no graph.
import { check } from '../command.mjs';
import { sum } from '../report.mjs';

// What the boundary rules say when they have no graph. They then pass everything, which must not look like success.
const noGraph = /No cached ProjectGraph is available/;

/** @returns {Promise<import('../report.mjs').Outcome>} */
export async function lint() {
  const args = ['run-many', '--target', 'lint', '--outputStyle', 'static', '--parallel', '2'];
  const packages = await check('nx', args);
  const blind = noGraph.test(packages.output ?? '') ? [{ passed: 0, failed: 1, output: packages.output ?? '' }] : [];
  return sum([packages, ...blind, await check('eslint', ['tools', '*.mjs'])]);
}
