import { dirname, join } from 'node:path';
import { createRequire } from 'node:module';
import { runDemo } from '@discovery-raft/discovery-node';
import type { Bench } from '../bench.js';

const relays = 10_000;
const hours = 4;

/** From the begin of a slot until all of three nodes in one process serve its directory, each having checked it. */
const roundTime: Bench = {
  name: `discovery/round/${relays}`,
  unit: 'ms',
  run: async ({ progress }) => {
    const manifest = createRequire(import.meta.url).resolve('@discovery-raft/discovery-node/package.json');
    progress(`${relays} relays publish first`);
    const summary = await runDemo({ dataFolder: join(dirname(manifest), 'data'), relays, hours });
    if (summary.lost + summary.wrong > 0 || !summary.verified)
      throw new Error(`The directory is wrong: ${JSON.stringify(summary)}`);
    return { value: summary.roundMs };
  },
};

export default [roundTime];
