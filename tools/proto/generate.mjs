// `npm run generate`: the TypeScript of packages/protocol and the schema baseline, both from proto/.
//
// proto/baseline.txtpb is the schema as last agreed. A change that breaks it is refused here and by `npm test`; a change
// that does not is written into it, so that the next one is compared with this one. Who must break it deletes the file
// first, and the review sees that.
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, run } from '../checks/command.mjs';

/**
 * Generates into a folder that is laid out like the workspace.
 *
 * @param {string} target the workspace's root, or an empty folder to compare with it
 */
export async function generateInto(target) {
  await mkdir(join(target, 'proto'), { recursive: true });
  // The plugin's output path in buf.gen.yaml is relative to proto/.
  const proto = join(root, 'proto');
  const code = await run('buf', ['generate', '--output', join(target, 'proto')], { cwd: proto });
  if (!code.ok) return code;
  const baseline = join(target, 'proto/baseline.txtpb');
  return run('buf', ['build', '--exclude-source-info', '--output', baseline], { cwd: proto });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const agreed = existsSync(join(root, 'proto/baseline.txtpb'))
    ? await run('buf', ['breaking', 'proto', '--against', 'proto/baseline.txtpb'])
    : { ok: true, output: '' };
  const { ok, output } = agreed.ok ? await generateInto(root) : agreed;
  process.stderr.write(output);
  process.exitCode = ok ? 0 : 1;
}
