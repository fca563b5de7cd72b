// The steps of `npm test`, in order: cheap ones first, what needs a build after it.
import { check } from './command.mjs';
import { examples } from './steps/examples.mjs';
import { sum } from './report.mjs';
import { boundaries } from './steps/boundaries.mjs';
import { exportsAreTold } from './steps/exports.mjs';
import { tests } from './steps/jest.mjs';
import { lint } from './steps/lint.mjs';
import { installed } from './steps/packages.mjs';
import { generated } from './steps/proto.mjs';
import { purity } from './steps/purity.mjs';
import { release } from './steps/release.mjs';
import { snippets } from './steps/snippets.mjs';
import { packagesOnDisk } from './workspace.mjs';

const build = () => check('tsc', ['-b', ...packagesOnDisk().map(({ path }) => `${path}/tsconfig.lib.json`)]);

async function typecheck() {
  const results = [await check('tsc', ['-b']), await check('tsc', ['-p', 'tools'])];
  return sum(results);
}

const simulation = () =>
  check('node', ['packages/raft-simulator/dist/cli/sim.js', '--seeds', '300', '--start', '1', '--json']);

const discoverySimulation = () =>
  check('node', ['packages/raft-simulator/dist/discovery/cli/sim.js', '--seeds', '60', '--start', '1', '--json']);

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {string} shows
 * @property {boolean} [isModest] Keeps one core busy and writes nothing, so it may run beside another such step.
 * @property {() => Promise<import('./report.mjs').Outcome>} run
 */

/** @type {readonly Step[]} */
export const steps = [
  { name: 'proto-lint', shows: 'buf lint', run: () => check('buf', ['lint', 'proto']) },
  { name: 'proto-format', shows: 'buf format', run: () => check('buf', ['format', '--diff', '--exit-code', 'proto']) },
  {
    name: 'proto-breaking',
    shows: 'nothing breaks the committed schema, proto/baseline.txtpb',
    run: () => check('buf', ['breaking', 'proto', '--against', 'proto/baseline.txtpb']),
  },
  { name: 'proto-generated', shows: 'generating again changes nothing', run: generated },
  { name: 'build', shows: 'the packages compile', run: build },
  { name: 'typecheck', shows: 'tests, benchmarks and tools compile too', run: typecheck },
  {
    name: 'format',
    isModest: true,
    shows: 'prettier',
    run: () => check('prettier', ['--check', '--log-level', 'warn', '.']),
  },
  { name: 'lint', isModest: true, shows: 'eslint, with the table of arrows', run: lint },
  {
    name: 'simulation-discovery',
    isModest: true,
    shows: '60 fixed seeds of discovery nodes, liars among them, break no rule',
    run: discoverySimulation,
  },
  {
    name: 'simulation',
    isModest: true,
    shows: '300 fixed seeds of the simulator break no rule',
    run: simulation,
  },
  {
    name: 'purity',
    isModest: true,
    shows: 'raft-core/src/core compiles without clock and chance, and only so',
    run: purity,
  },
  { name: 'snippets', isModest: true, shows: 'TypeScript in README and docs compiles', run: snippets },
  { name: 'exports', isModest: true, shows: 'each README names what its package exports', run: exportsAreTold },
  { name: 'boundaries', shows: 'lint refuses imports that are not in the table', run: boundaries },
  { name: 'test', shows: 'jest, all packages', run: tests },
  { name: 'examples', shows: 'each example runs to a good end', run: examples },
  { name: 'packages', shows: 'each package packs, installs and imports', run: installed },
  { name: 'release', shows: 'nx release would run', run: release },
];
