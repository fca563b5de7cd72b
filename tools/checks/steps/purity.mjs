// The purity of raft-core/src/core, by the compiler: the folder is compiled against a standard library from which the
// clock, chance and whatever else differs between runs are taken out, and a few crimes are shown to be refused.
import ts from 'typescript';
import { join } from 'node:path';
import { root } from '../command.mjs';

const config = join(root, 'packages/raft-core/tsconfig.core.json');
const probe = join(root, 'packages/raft-core/src/core/purity-probe.ts');

// Declarations that the core does not see. Types such as `Date` stay, since other parts of the library mention them;
// without its variable nobody can make one or ask it the time.
const hiddenVariables = new Set(['Date', 'WeakRef', 'FinalizationRegistry', 'SharedArrayBuffer', 'Atomics']);
const hiddenMembers = new Set(['Math.random', 'String.localeCompare']);

const crimes = {
  'Date.now()': 'export const t = Date.now();',
  'new Date()': 'export const t = new Date();',
  'globalThis.Date': 'export const t = globalThis.Date.now();',
  'Math.random()': 'export const t = Math.random();',
  'setTimeout()': 'setTimeout(() => undefined, 1);\nexport {};',
  'queueMicrotask()': 'queueMicrotask(() => undefined);\nexport {};',
  'process.hrtime()': 'export const t = process.hrtime();',
  'console.log()': "console.log('x');\nexport {};",
  'node:fs': "import { readFileSync } from 'node:fs';\nexport const t = readFileSync;",
  'crypto.randomUUID()': 'export const t = crypto.randomUUID();',
};

/** @param {string} text a library file of the compiler's @param {ts.SourceFile} file the same, parsed */
function withoutAmbient(text, file) {
  /** @type {[number, number][]} */
  const cuts = [];
  for (const statement of file.statements) {
    if (ts.isVariableStatement(statement)) {
      const [declaration] = statement.declarationList.declarations;
      if (declaration && hiddenVariables.has(declaration.name.getText(file))) cuts.push([statement.pos, statement.end]);
    } else if (ts.isInterfaceDeclaration(statement)) {
      for (const member of statement.members) {
        const name = `${statement.name.text}.${member.name?.getText(file) ?? ''}`;
        if (hiddenMembers.has(name)) cuts.push([member.pos, member.end]);
      }
    }
  }
  return cuts.reduceRight((rest, [from, to]) => rest.slice(0, from) + rest.slice(to), text);
}

/** @param {ts.CompilerOptions} options @param {string | undefined} probeText code to compile as one more file */
function hostFor(options, probeText) {
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  const library = join(root, 'node_modules/typescript/lib/lib.');
  host.fileExists = (name) => (name === probe ? probeText !== undefined : fileExists(name));
  host.getSourceFile = (name, languageVersion, ...rest) => {
    if (name === probe) return ts.createSourceFile(name, probeText ?? '', languageVersion, true);
    const file = getSourceFile(name, languageVersion, ...rest);
    if (!file || !name.startsWith(library)) return file;
    return ts.createSourceFile(name, withoutAmbient(file.text, file), languageVersion, true);
  };
  return host;
}

/** Compiles the core, and with it one more file if `probeText` is given; returns the errors as text. */
function compile(/** @type {readonly string[]} */ files, /** @type {ts.CompilerOptions} */ options, probeText = '') {
  const host = hostFor(options, probeText);
  const program = ts.createProgram(probeText ? [probe] : files, options, host);
  return ts.formatDiagnostics(ts.getPreEmitDiagnostics(program), host);
}

/** @returns {Promise<import('../report.mjs').Outcome>} */
export async function purity() {
  const read = ts.readConfigFile(config, ts.sys.readFile);
  const parsed = ts.parseJsonConfigFileContent(read.config, ts.sys, join(root, 'packages/raft-core'));
  const options = { ...parsed.options, noEmit: true, composite: false, incremental: false, declaration: false };
  delete options.tsBuildInfoFile;
  delete options.declarationMap;

  const complaints = [];
  const errors = compile(parsed.fileNames, options);
  if (errors) complaints.push(errors);
  // The probe itself must be able to compile, or every crime would look refused.
  const control = compile([], options, 'export const t: number = Math.max(1, 2);');
  if (control) complaints.push(`The control did not compile:\n${control}`);
  for (const [name, code] of Object.entries(crimes)) {
    if (!compile([], options, code)) complaints.push(`${name} compiles in raft-core/src/core`);
  }
  const total = Object.keys(crimes).length + 2;
  return { passed: total - complaints.length, failed: complaints.length, output: complaints.join('\n') };
}
