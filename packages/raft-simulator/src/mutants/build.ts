import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { applyEdit, type Edit } from './mutant.js';

/** A copy of the built packages in which raft-core has a bug. */
export interface TestBuild {
  /** The simulator's command in the copy. */
  readonly command: string;
  remove(): void;
}

/**
 * Copies the built simulator and the built raft-core to a temporary folder and edits the latter.
 *
 * @param simulatorRoot folder of this package
 * @throws Error when an anchor is not there exactly once
 */
export function makeTestBuild(simulatorRoot: string, edits: readonly Edit[]): TestBuild {
  const root = mkdtempSync(join(tmpdir(), 'raft-mutant-'));
  const remove = (): void => rmSync(root, { recursive: true, force: true });
  try {
    const scope = join(root, 'node_modules', '@discovery-raft');
    const core = join(dirname(realpathSync(simulatorRoot)), 'raft-core');
    for (const [name, from] of [
      ['raft-core', core],
      ['raft-simulator', simulatorRoot],
    ] as const) {
      mkdirSync(join(scope, name), { recursive: true });
      cpSync(join(from, 'package.json'), join(scope, name, 'package.json'));
      cpSync(join(from, 'dist'), join(scope, name, 'dist'), { recursive: true });
    }
    const events = createRequire(join(core, 'package.json')).resolve('eventemitter3/package.json');
    symlinkSync(dirname(events), join(root, 'node_modules', 'eventemitter3'));
    for (const edit of edits) {
      const file = join(scope, 'raft-core', 'dist', `${edit.file}.js`);
      writeFileSync(file, applyEdit(readFileSync(file, 'utf8'), edit));
    }
    return { command: join(scope, 'raft-simulator', 'dist', 'cli', 'sim.js'), remove };
  } catch (error) {
    remove();
    throw error;
  }
}
