import { dirname, resolve } from 'node:path';
import { huntMutants } from '../../cli/mutant-hunt.js';
import { makeDiscoveryTestBuild } from '../mutants/build.js';
import { DISCOVERY_MUTANTS } from '../mutants/catalogue.js';

const root = resolve(dirname(process.argv[1]!), '..', '..', '..');

process.exitCode = await huntMutants(
  {
    script: 'sim:discovery:mutants',
    subject: 'the consensus',
    rules: 'rule of DISCOVERY.md',
    mutants: DISCOVERY_MUTANTS,
    seeds: 500,
    controlSeeds: 25,
    nameColumns: 32,
    crashCounts: false,
    makeBuild: (edits) => makeDiscoveryTestBuild(root, edits),
  },
  process.argv.slice(2),
);
