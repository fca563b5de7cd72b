// The packages of the workspace as they lie on disk.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './command.mjs';

/**
 * Every folder below packages/ that holds a package, by folder name.
 *
 * @returns {{ folder: string, path: string, manifest: Record<string, any> }[]}
 */
export function packagesOnDisk() {
  const parent = join(root, 'packages');
  return readdirSync(parent)
    .sort()
    .filter((folder) => existsSync(join(parent, folder, 'package.json')))
    .map((folder) => ({
      folder,
      path: join(parent, folder),
      manifest: JSON.parse(readFileSync(join(parent, folder, 'package.json'), 'utf8')),
    }));
}
