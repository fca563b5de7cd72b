// Each example is run as its README says, and has to end with 0.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { check, root } from '../command.mjs';
import { sum } from '../report.mjs';

/** @returns {Promise<import('../report.mjs').Outcome>} */
export async function examples() {
  const parent = join(root, 'examples');
  const folders = readdirSync(parent).filter((name) => existsSync(join(parent, name, 'package.json')));
  const outcomes = [];
  for (const name of folders)
    outcomes.push(await check('node', [join(parent, name, 'dist/main.js')], { cwd: join(parent, name) }));
  return sum(outcomes);
}
