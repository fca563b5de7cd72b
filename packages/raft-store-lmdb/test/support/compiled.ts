import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from '@swc/core';

const PACKAGE = join(__dirname, '../..');

/** Programs that can be run. */
export interface Fixtures {
  /** The file of a fixture, by its name without ending. */
  readonly fileOf: (name: string) => string;
  /** The environment to run it in, where it finds the dependencies. */
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Compiles this package, raft-core and the fixtures into a directory, so that another process can run them: it has no Jest
 * around it, and the packages need not have been built.
 */
export function compileFixtures(directory: string): Fixtures {
  const modules = join(directory, 'node_modules');
  compile(join(PACKAGE, 'src'), join(directory, 'src'));
  compile(join(PACKAGE, 'test/fixtures'), join(directory, 'test/fixtures'));
  compile(join(PACKAGE, '../raft-core/src'), join(modules, '@discovery-raft/raft-core'));
  writeFileSync(join(directory, 'package.json'), '{"type":"commonjs"}');
  return {
    fileOf: (name) => join(directory, 'test/fixtures', `${name}.js`),
    env: { ...process.env, NODE_PATH: join(PACKAGE, '../../node_modules') },
  };
}

function compile(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const item of readdirSync(from, { withFileTypes: true })) {
    const source = join(from, item.name);
    if (item.isDirectory()) compile(source, join(to, item.name));
    else if (item.name.endsWith('.ts')) {
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
