// TypeScript in READMEs and docs is compiled, each block as a module of its own, against the workspace's sources.
import { readFileSync, readdirSync, existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';
import { root } from '../command.mjs';

/** @typedef {{ file: string, line: number, code: string, path: string }} Snippet */

/** @returns {string[]} */
function markdownFiles() {
  const docs = join(root, 'docs');
  const below = existsSync(docs) ? readdirSync(docs, { recursive: true }).map((name) => join(docs, String(name))) : [];
  const readmes = ['packages', 'examples'].flatMap((parent) =>
    readdirSync(join(root, parent)).map((name) => join(root, parent, name, 'README.md')),
  );
  return [join(root, 'README.md'), ...readmes, ...below]
    .filter((name) => name.endsWith('.md') && existsSync(name))
    .sort();
}

/** The fenced blocks of one file that say ts or typescript. @param {string} file @returns {Snippet[]} */
export function snippetsOf(file) {
  /** @type {Snippet[]} */
  const found = [];
  /** @type {{ fence: string, line: number, code: string[] } | undefined} */
  let open;
  const name = relative(root, file).replaceAll(/[^\w]+/g, '-');
  for (const [index, text] of readFileSync(file, 'utf8').split('\n').entries()) {
    const fence = /^\s*(`{3,}|~{3,})\s*(\S*)/.exec(text);
    if (open && fence?.[1]?.startsWith(open.fence) && !fence[2]) {
      const path = join(root, `snippet-${name}-${open.line}.ts`);
      found.push({ file, line: open.line, code: open.code.join('\n'), path });
      open = undefined;
    } else if (open) {
      open.code.push(text);
    } else if (fence?.[1] && /^(ts|typescript)$/.test(fence[2] ?? '')) {
      open = { fence: fence[1], line: index + 2, code: [] };
    }
  }
  return found;
}

/** @returns {ts.CompilerOptions} */
function compilerOptions() {
  const read = ts.readConfigFile(join(root, 'tsconfig.base.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...read.config, files: [] }, ts.sys, root);
  return {
    ...options,
    types: ['node'],
    moduleDetection: ts.ModuleDetectionKind.Force,
    // An example may name a result without using it.
    noUnusedLocals: false,
    noUnusedParameters: false,
    noEmit: true,
    composite: false,
    declaration: false,
    declarationMap: false,
  };
}

/** @param {readonly Snippet[]} all */
function createProgram(all) {
  const options = compilerOptions();
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  const byPath = new Map(all.map((snippet) => [snippet.path, snippet]));
  host.fileExists = (name) => byPath.has(name) || fileExists(name);
  host.readFile = (name) => byPath.get(name)?.code ?? readFile(name);
  host.getSourceFile = (name, target, ...rest) => {
    const snippet = byPath.get(name);
    return snippet ? ts.createSourceFile(name, snippet.code, target, true) : getSourceFile(name, target, ...rest);
  };
  return ts.createProgram([...byPath.keys()], options, host);
}

/** @param {Snippet} snippet @param {ts.Diagnostic} diagnostic */
function describe(snippet, diagnostic) {
  const within = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line ?? 0;
  const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n  ');
  return `${relative(root, snippet.file)}:${snippet.line + within}  ${text}`;
}

/** @returns {Promise<import('../report.mjs').Outcome>} */
export async function snippets() {
  const all = markdownFiles().flatMap(snippetsOf);
  const program = createProgram(all);
  const complaints = all.map((snippet) => {
    const source = program.getSourceFile(snippet.path);
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found.map((diagnostic) => describe(snippet, diagnostic));
  });
  const bad = complaints.filter((found) => found.length > 0);
  return { passed: all.length - bad.length, failed: bad.length, output: bad.flat().join('\n') };
}
