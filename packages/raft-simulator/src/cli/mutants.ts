import { dirname, resolve } from 'node:path';
import { huntMutants } from './mutant-hunt.js';
import { makeTestBuild } from '../mutants/build.js';
import { MUTANTS } from '../mutants/catalogue.js';

const root = resolve(dirname(process.argv[1]!), '..', '..');

process.exitCode = await huntMutants(
  {
    script: 'sim:mutants',
    subject: 'raft-core',
    rules: 'rule',
    mutants: MUTANTS,
    seeds: 2000,
    controlSeeds: 100,
    nameColumns: 36,
    crashCounts: true,
    makeBuild: (edits) => makeTestBuild(root, edits),
  },
  process.argv.slice(2),
);
