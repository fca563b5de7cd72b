// The canary of the lint rules: a rule that is switched off by accident passes everything, so each is shown a crime.
import { ESLint } from 'eslint';
import { join } from 'node:path';
import { packages, tagOf } from '../../eslint/arrows.mjs';
import { root } from '../command.mjs';
import { projectGraph } from '../project-graph.mjs';
import { packagesOnDisk } from '../workspace.mjs';

const modules = '@nx/enforce-module-boundaries';
const imports = '@typescript-eslint/no-restricted-imports';

/**
 * Code to lint as if it stood in `file`, which must exist: the type-checked rules know only files of a project.
 *
 * @type {readonly { title: string, file: string, code: string, rule: string | null }[]}
 */
const cases = [
  {
    title: 'an arrow that is not in the table is refused',
    file: 'packages/protocol/src/index.ts',
    code: `import { PkiError } from '@discovery-raft/psp-pki';\nexport const found = PkiError;\n`,
    rule: modules,
  },
  {
    title: 'an arrow the wrong way round is refused',
    file: 'packages/raft-core/src/index.ts',
    code: `import { MemoryTransport } from '@discovery-raft/memory-transport';\nexport const found = MemoryTransport;\n`,
    rule: modules,
  },
  {
    title: 'a relative path into another package is refused',
    file: 'packages/memory-transport/src/index.ts',
    code: `export * from '../../raft-core/src/index.js';\n`,
    rule: modules,
  },
  {
    title: 'a deep import is refused',
    file: 'packages/discovery-node/src/index.ts',
    code: `import { RaftError } from '@discovery-raft/raft-core/src/core/errors.js';\nexport const found = RaftError;\n`,
    rule: imports,
  },
  {
    title: 'a deep import of built files is refused',
    file: 'packages/discovery-node/src/index.ts',
    code: `import { RaftError } from '@discovery-raft/raft-core/dist/index.js';\nexport const found = RaftError;\n`,
    rule: imports,
  },
  {
    title: 'a value through an arrow for types is refused',
    file: 'packages/psp-envelope/src/index.ts',
    code: `import { RaftError } from '@discovery-raft/raft-core';\nexport const found = RaftError;\n`,
    rule: imports,
  },
  {
    title: 'a lazy import is no way round it',
    file: 'packages/psp-envelope/src/index.ts',
    code: `export const found = (): Promise<unknown> => import('@discovery-raft/raft-core');\n`,
    rule: 'no-restricted-syntax',
  },
  {
    title: 'a module of Node outside the I/O list is refused',
    file: 'packages/psp-pki/src/index.ts',
    code: `import { readFileSync } from 'node:fs';\nexport const found = readFileSync;\n`,
    rule: imports,
  },
  {
    title: 'a module of Node is refused in a pure folder, whatever the package may',
    file: 'packages/raft-core/src/core/types.ts',
    code: `import { createHash } from 'node:crypto';\nexport const found = createHash;\n`,
    rule: 'no-restricted-imports',
  },
  {
    title: 'the clock is refused in pure code',
    file: 'packages/raft-log-list/src/index.ts',
    code: `export const found = (): number => Date.now();\n`,
    rule: 'no-restricted-globals',
  },
  {
    title: 'chance is refused in pure code',
    file: 'packages/discovery-consensus-fsm/src/index.ts',
    code: `export const found = (): number => Math.random();\n`,
    rule: 'no-restricted-properties',
  },
  {
    title: 'a comment switches nothing off',
    file: 'packages/raft-log-list/src/index.ts',
    code: `/* eslint-disable */\nexport const found = (): number => Date.now();\n`,
    rule: 'no-restricted-globals',
  },
  {
    title: 'an arrow for types lets types through',
    file: 'packages/psp-envelope/src/index.ts',
    code: `import type { Clock } from '@discovery-raft/raft-core';\nexport type Found = Clock;\n`,
    rule: null,
  },
];

/** @param {ESLint} eslint @param {(typeof cases)[number]} example */
async function judge(eslint, { title, file, code, rule }) {
  const [result] = await eslint.lintText(code, { filePath: join(root, file) });
  const rules = result?.messages.map((message) => message.ruleId ?? message.message) ?? [];
  const right = rule === null ? rules.length === 0 : rules.includes(rule);
  return right ? [] : [`${title}: expected ${rule ?? 'no complaint'}, got ${rules.join(', ') || 'none'}`];
}

/** The table speaks of exactly the packages that exist, and each carries the tag that the rules go by. */
function judgeTable() {
  const found = packagesOnDisk();
  const folders = found.map(({ folder }) => folder);
  return [
    ...folders.filter((name) => !(name in packages)).map((name) => `${name} has no row in tools/eslint/arrows.mjs`),
    ...Object.keys(packages)
      .filter((name) => !folders.includes(name))
      .map((name) => `tools/eslint/arrows.mjs has a row for ${name}, which does not exist`),
    ...found
      .filter(({ folder, manifest }) => !manifest['nx']?.tags?.includes(tagOf(folder)))
      .map(({ folder }) => `packages/${folder}/package.json lacks the nx tag ${tagOf(folder)}`),
  ];
}

/** @returns {Promise<import('../report.mjs').Outcome>} */
export async function boundaries() {
  const graph = await projectGraph();
  if (!graph.ok) return { passed: 0, failed: 1, output: graph.output };
  const eslint = new ESLint({ cwd: root });
  const results = [judgeTable()];
  for (const example of cases) results.push(await judge(eslint, example));
  const bad = results.filter((complaints) => complaints.length > 0);
  return { passed: results.length - bad.length, failed: bad.length, output: bad.flat().join('\n') };
}
