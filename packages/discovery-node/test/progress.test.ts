import { silentProgress, TerminalProgress, type Progress, type ProgressOutput } from '../src/index.js';

const ESCAPE = '\x1b[';
const CLEAR = `\r${ESCAPE}K`;
const COLOURS = new RegExp(`${ESCAPE.replace('[', '\\[')}\\d+m`, 'g');

/** What is written, piece by piece. */
class Output implements ProgressOutput {
  readonly written: string[] = [];
  readonly isTTY: boolean;
  readonly columns: number;

  constructor(isTTY: boolean, columns = 80) {
    this.isTTY = isTTY;
    this.columns = columns;
  }

  write(text: string): void {
    this.written.push(text);
  }

  get text(): string {
    return this.written.join('');
  }
}

function job(progress: Progress): void {
  progress.phase('first');
  progress.phase('second', 4);
  progress.step(2);
  progress.note('half of it');
  progress.step(4);
  progress.end();
  progress.end();
}

describe('TerminalProgress', () => {
  test('elsewhere than on a terminal: one plain line a phase, and the notes', () => {
    const out = new Output(false);
    job(new TerminalProgress(out, {}));
    expect(out.text).not.toContain(ESCAPE);
    expect(out.text).not.toContain('\r');
    const lines = out.text.split('\n');
    expect(lines[0]).toMatch(/^✓ first {2}\d+\.\d s$/);
    expect(lines[1]).toBe('  half of it');
    expect(lines[2]).toMatch(/^✓ second {2}4 of 4 {2}\d+\.\d s$/);
    expect(lines.slice(3)).toEqual(['']);
  });

  test('on a terminal: a bar that grows with the steps', () => {
    const out = new Output(true);
    job(new TerminalProgress(out, { NO_COLOR: '1' }));
    expect(out.text).toContain(`${CLEAR}… first`);
    expect(out.text).toContain(`${CLEAR}${'░'.repeat(24)} second  0/4`);
    expect(out.text).toContain(`${'█'.repeat(12)}${'░'.repeat(12)} second  2/4`);
    expect(out.text).toMatch(/✓ second {2}4 of 4 {2}\d+\.\d s\n$/);
  });

  test('colours on a terminal, and none with NO_COLOR', () => {
    const [coloured, plain, empty] = [new Output(true), new Output(true), new Output(true)];
    job(new TerminalProgress(coloured, {}));
    job(new TerminalProgress(plain, { NO_COLOR: '1' }));
    job(new TerminalProgress(empty, { NO_COLOR: '' }));
    expect(coloured.text).toContain(`${ESCAPE}32m✓${ESCAPE}0m`);
    expect(plain.text.replaceAll(CLEAR, '')).not.toContain(ESCAPE);
    // https://no-color.org: an empty value does not count.
    expect(empty.text).toContain(`${ESCAPE}32m`);
  });

  test.each([{ TERM: 'dumb' }, { CI: 'true' }])('no bar where nobody looks: %p', (env) => {
    const out = new Output(true);
    job(new TerminalProgress(out, env));
    expect(out.text).not.toContain(ESCAPE);
  });

  test.each([
    [0, 0],
    [5, 9],
  ])('a bar of %i is full at most, also after %i steps', (total, done) => {
    const out = new Output(true);
    const progress = new TerminalProgress(out, { NO_COLOR: '1' });
    progress.phase('odd', total);
    progress.step(done);
    progress.note('look');
    expect(out.written.at(-1)).toBe(`${CLEAR}${'█'.repeat(24)} odd  ${done}/${total}`);
  });

  test('a line is never wider than the terminal, so that it can be cleared', () => {
    for (const env of [{ NO_COLOR: '1' }, {}]) {
      const out = new Output(true, 30);
      const progress = new TerminalProgress(out, env);
      progress.phase('a title that is far too long for so narrow a terminal', 4);
      progress.phase('another title that is far too long for so narrow a terminal');
      for (const drawn of out.written.filter((text) => text.startsWith(CLEAR) && !text.includes('\n'))) {
        const visible = drawn.replace(CLEAR, '').replaceAll(COLOURS, '');
        expect(visible.length).toBeLessThanOrEqual(30);
        // What was begun in colour ends in none.
        expect(drawn.match(COLOURS)?.at(-1) ?? '\x1b[0m').toBe('\x1b[0m');
      }
    }
  });

  test('draws no more often than an eye can see', () => {
    const out = new Output(true);
    const progress = new TerminalProgress(out, {});
    progress.phase('many', 1e6);
    const before = out.written.length;
    const began = performance.now();
    for (let done = 1; done <= 10_000; done++) progress.step(done);
    const mostDraws = (performance.now() - began) / 80 + 1;
    expect(out.written.length - before).toBeLessThanOrEqual(mostDraws);
  });
});

test('silentProgress says nothing and takes everything', () => {
  expect(() => job(silentProgress)).not.toThrow();
});
