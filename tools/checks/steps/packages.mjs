// Each package as a stranger gets it: packed, inspected, installed from its tarball into an empty project, imported.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { root, run } from '../command.mjs';
import { packagesOnDisk } from '../workspace.mjs';

const required = ['LICENSE', 'README.md', 'dist/index.js', 'dist/index.d.ts', 'package.json'];
const unwanted = /\.tsbuildinfo$|^test\/|^out-tsc\/|^jest\.config|^tsconfig/;

/** @typedef {{ name: string, folder: string, tarball: string, entries: string[], files: string[] }} Packed */
/** @typedef {{ title: string, ok: boolean, output: string }} Finding */

/** @param {string} target folder for the tarballs @returns {Promise<Packed[]>} */
async function pack(target) {
  const found = packagesOnDisk().filter(({ manifest }) => manifest['private'] !== true);
  const chosen = found.flatMap(({ manifest }) => ['--workspace', manifest['name']]);
  const { ok, output } = await run('npm', ['pack', '--json', '--pack-destination', target, ...chosen]);
  // npm says its warnings around the JSON.
  const begin = output.search(/^[[{]$/m);
  const end = Math.max(output.lastIndexOf('\n]'), output.lastIndexOf('\n}'));
  if (!ok || begin < 0 || end < 0) throw new Error(`npm pack failed:\n${output}`);
  /** @type {any[]} */
  const results = Object.values(JSON.parse(output.slice(begin, end + 2)));
  return found.map(({ folder, manifest }) => {
    const result = results.find(({ name }) => name === manifest['name']);
    if (!result) throw new Error(`npm pack said nothing of ${manifest['name']}`);
    const entries = Object.keys(manifest['exports']).filter((entry) => entry !== './package.json');
    return {
      name: manifest['name'],
      folder,
      tarball: join(target, basename(result.filename)),
      entries: entries.map((entry) => manifest['name'] + entry.slice(1)),
      files: result.files.map((/** @type {any} */ file) => file.path),
    };
  });
}

/** @param {Packed} packed @returns {Promise<Finding>} */
async function contents({ name, folder, files }) {
  const wrong = [
    ...required.filter((file) => !files.includes(file)).map((file) => `lacks ${file}`),
    ...files.filter((file) => unwanted.test(file)).map((file) => `should not hold ${file}`),
  ];
  const licence = await readFile(join(root, 'LICENSE'), 'utf8');
  const own = await readFile(join(root, 'packages', folder, 'LICENSE'), 'utf8').catch(() => '');
  if (own !== licence) wrong.push('its LICENSE differs from the one at the root');
  return { title: `${name}: contents of the tarball`, ok: wrong.length === 0, output: wrong.join('\n') };
}

/** @param {Packed} packed @returns {Promise<Finding[]>} */
async function inspect(packed) {
  const [publint, types] = await Promise.all([
    run('publint', ['run', packed.tarball, '--strict', '--level', 'warning']),
    run('attw', [packed.tarball, '--profile', 'esm-only', '--no-emoji', '--format', 'ascii']),
  ]);
  return [
    await contents(packed),
    { title: `${packed.name}: publint`, ...publint },
    { title: `${packed.name}: are the types wrong`, ...types },
  ];
}

/** @param {string} project an empty folder @param {readonly Packed[]} all @returns {Promise<Finding>} */
async function install(project, all) {
  const manifest = {
    name: 'stranger',
    private: true,
    dependencies: Object.fromEntries(all.map(({ name, tarball }) => [name, `file:${tarball}`])),
  };
  await mkdir(project);
  await writeFile(join(project, 'package.json'), JSON.stringify(manifest));
  // `npm ci` has just filled npm's cache; the registry is asked only for what is not in it.
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts'];
  return { title: 'npm install of all tarballs', ...(await run('npm', ['install', ...quiet], { cwd: project })) };
}

/** @param {string} project @param {string} entry @returns {Promise<Finding[]>} */
async function load(project, entry) {
  const some = `if (Object.keys(found).length === 0) { console.error('It exports nothing.'); process.exit(1); }`;
  const esm = `const found = await import('${entry}'); ${some}`;
  const cjs = `const found = require('${entry}'); ${some}`;
  // Without warnings: Node 20.19 and 22 call require() of a module experimental.
  const node = (/** @type {string[]} */ ...args) => run(process.execPath, ['--no-warnings', ...args], { cwd: project });
  return [
    { title: `import ${entry}`, ...(await node('--input-type=module', '--eval', esm)) },
    { title: `require ${entry}`, ...(await node('--input-type=commonjs', '--eval', cjs)) },
  ];
}

/** Type-checks a stranger's file that imports every entry. @param {string} project @param {readonly string[]} entries */
async function compile(project, entries) {
  const imports = entries.map((entry, index) => `import * as entry${index} from '${entry}';`);
  const uses = entries.map((_, index) => `void entry${index};`);
  await writeFile(join(project, 'stranger.mts'), [...imports, ...uses].join('\n'));
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')];
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2023', ...types];
  return { title: 'types of all entries', ...(await run('tsc', [...options, 'stranger.mts'], { cwd: project })) };
}

/** @returns {Promise<import('../report.mjs').Outcome>} */
export async function installed() {
  const folder = await mkdtemp(join(tmpdir(), 'discovery-raft-packages-'));
  try {
    const all = await pack(folder);
    const project = join(folder, 'project');
    const entries = all.flatMap((packed) => packed.entries);
    const findings = [];
    for (const packed of all) findings.push(...(await inspect(packed)));
    findings.push(await install(project, all));
    for (const entry of entries) findings.push(...(await load(project, entry)));
    findings.push(await compile(project, entries));

    const bad = findings.filter((finding) => !finding.ok);
    const output = bad.map((finding) => `${finding.title}\n${finding.output.trim()}\n`).join('\n');
    return { passed: findings.length - bad.length, failed: bad.length, note: `${all.length} packages`, output };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
