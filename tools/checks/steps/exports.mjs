// Every value that a package exports is named in its README, in code: what no README tells of is either not for others, or a
// secret to them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packagesOnDisk } from '../workspace.mjs';

/** Its exports are generated, some for each message of the proto files; the README tells how they are called. */
const generated = new Set(['protocol']);

/** The names in code spans and code blocks. @param {string} markdown @returns {Set<string>} */
function namesInCode(markdown) {
  const code = markdown.match(/^(`{3,})[^]*?^\1|`[^`\n]+`/gm) ?? [];
  return new Set(code.flatMap((text) => text.match(/[\w$]+/g) ?? []));
}

/** The values behind each entry of a package. @param {string} path @param {Record<string, any>} manifest */
async function exportedNames(path, manifest) {
  const entries = Object.values(manifest['exports']).filter((target) => typeof target === 'object');
  const modules = await Promise.all(entries.map((target) => import(pathToFileURL(join(path, target.default)).href)));
  return modules.flatMap((module) => Object.keys(module));
}

/** @returns {Promise<import('../report.mjs').Outcome>} */
export async function exportsAreTold() {
  const complaints = [];
  let passed = 0;
  for (const { folder, path, manifest } of packagesOnDisk()) {
    if (generated.has(folder)) continue;
    const told = namesInCode(readFileSync(join(path, 'README.md'), 'utf8'));
    const untold = (await exportedNames(path, manifest)).filter((name) => !told.has(name));
    if (untold.length > 0) complaints.push(`packages/${folder}/README.md does not name ${untold.join(', ')}`);
    else passed++;
  }
  return { passed, failed: complaints.length, output: complaints.join('\n') };
}
