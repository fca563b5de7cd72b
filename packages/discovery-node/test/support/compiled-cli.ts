import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { transformSync } from '@swc/core';

const PACKAGES = join(__dirname, '../../..');
const SELF = 'discovery-node';

/** The command line as a program of its own. */
export interface CompiledCli {
  /** To be given to `node`, with arguments behind it. */
  readonly file: string;
  /** The environment to run it in, where it finds the dependencies. */
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Compiles this package and all that it imports into a folder, so that other processes can run it: they have no Jest
 * around them, and the packages need not have been built.
 */
export function compileCli(folder: string): CompiledCli {
  for (const name of readdirSync(PACKAGES)) {
    const target = name === SELF ? join(folder, 'src') : join(folder, 'node_modules/@discovery-raft', name);
    compile(join(PACKAGES, name, 'src'), target);
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"commonjs"}');
  const file = join(folder, 'start.js');
  writeFileSync(file, ENTRY);
  const modules = [join(PACKAGES, SELF, 'node_modules'), join(PACKAGES, '../node_modules')].join(delimiter);
  return { file, env: { ...process.env, NODE_OPTIONS: '', NODE_PATH: modules, NO_COLOR: '1' } };
}

/** What `cli.ts` does, without the module syntax that only the built package has. */
const ENTRY = `
const { runCli } = require('./src/cli/program.js');
require('./src/cli/mind-output.js').mindOutput(process);
const dataFolder = ${JSON.stringify(join(PACKAGES, SELF, 'data'))};
const environment = { dataFolder, programFile: __filename, version: '0.0.0', stdout: process.stdout, stderr: process.stderr, env: process.env };
runCli(process.argv.slice(2), environment).then((code) => { process.exitCode = code; });
`;

function compile(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const item of readdirSync(from, { withFileTypes: true })) {
    const source = join(from, item.name);
    if (item.isDirectory()) compile(source, join(to, item.name));
    else if (item.name.endsWith('.ts') && item.name !== 'cli.ts') {
      const { code } = transformSync(readFileSync(source, 'utf8'), {
        filename: source,
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'commonjs' },
        isModule: true,
        swcrc: false,
        configFile: false,
      });
      writeFileSync(join(to, item.name.replace(/\.ts$/, '.js')), code);
    }
  }
}
