import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestBuild } from '../../mutants/build.js';
import { applyEdit, type Edit } from '../../mutants/mutant.js';

const MUTATED = 'discovery-consensus-fsm';

/**
 * Copies the built simulator and the built discovery-consensus-fsm to a temporary folder and edits the latter. All else
 * that they import is linked.
 *
 * @param simulatorRoot folder of this package
 * @throws Error when an anchor is not there exactly once
 */
export function makeDiscoveryTestBuild(simulatorRoot: string, edits: readonly Edit[]): TestBuild {
  const packages = dirname(realpathSync(simulatorRoot));
  const root = mkdtempSync(join(tmpdir(), 'discovery-mutant-'));
  const remove = (): void => rmSync(root, { recursive: true, force: true });
  try {
    const installed = join(root, 'node_modules');
    const scope = join(installed, '@discovery-raft');
    mkdirSync(scope, { recursive: true });
    for (const name of readdirSync(packages)) {
      const from = join(packages, name);
      if (name !== MUTATED && name !== 'raft-simulator') symlinkSync(from, join(scope, name));
      else {
        mkdirSync(join(scope, name));
        cpSync(join(from, 'package.json'), join(scope, name, 'package.json'));
        cpSync(join(from, 'dist'), join(scope, name, 'dist'), { recursive: true });
      }
    }
    for (const other of ['eventemitter3', '@bufbuild']) {
      symlinkSync(join(dirname(packages), 'node_modules', other), join(installed, other));
    }
    for (const edit of edits) {
      const file = join(scope, MUTATED, 'dist', `${edit.file}.js`);
      writeFileSync(file, applyEdit(readFileSync(file, 'utf8'), edit));
    }
    return { command: join(scope, 'raft-simulator', 'dist', 'discovery', 'cli', 'sim.js'), remove };
  } catch (error) {
    remove();
    throw error;
  }
}
