/**
 * The scripts in scripts/, each against its recorded output. `RECORD=1 npx jest -c packages/raft-core/jest.config.cjs
 * scenarios` writes the output anew: read the difference before you commit it.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { play } from './script.js';

const FOLDER = join(__dirname, 'scripts');
const record = process.env['RECORD'] === '1';

describe('scenarios', () => {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.txt'));

  test.each(files)('%s', (file) => {
    const path = join(FOLDER, file);
    const script = readFileSync(path, 'utf8');
    const played = play(script);
    if (record) writeFileSync(path, played);
    else expect(played).toBe(script);
  });

  test('a script that differs from its record fails, and one that goes wrong names the line', () => {
    const script = 'add-nodes 1\n----\nok\n\ncampaign 1\n----\nok\n';
    expect(play(script)).not.toBe(script);
    expect(() => play('add-nodes 1\ncampaign 2\n')).toThrow('at "campaign 2": there is no node 2');
    expect(() => play('elect 1\n')).toThrow('there is no command elect');
  });

  test('a script plays the same each time', () => {
    for (const file of files) {
      const script = readFileSync(join(FOLDER, file), 'utf8');
      expect(play(script)).toBe(play(script));
    }
  });
});
