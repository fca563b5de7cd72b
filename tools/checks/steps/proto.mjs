// Generated code and schema baseline are committed; generating them again must give the same bytes.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateInto } from '../../proto/generate.mjs';
import { root, run } from '../command.mjs';

/** @returns {Promise<import('../report.mjs').Outcome>} */
export async function generated() {
  const fresh = await mkdtemp(join(tmpdir(), 'discovery-raft-proto-'));
  try {
    const made = await generateInto(fresh);
    if (!made.ok) return { passed: 0, failed: 1, output: made.output };
    const results = [];
    for (const path of ['packages/protocol/src/gen', 'proto/baseline.txtpb']) {
      const args = ['diff', '--no-index', '--exit-code', '--stat', '-p', join(root, path), join(fresh, path)];
      results.push(await run('git', args));
    }
    const stale = results.filter((result) => !result.ok);
    const output = [...stale.map((result) => result.output), 'Run `npm run generate` and commit the result.'].join(
      '\n',
    );
    return { passed: results.length - stale.length, failed: stale.length, output };
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}
