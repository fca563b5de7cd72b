/** Tells a person how a long job goes. */
export interface Progress {
  /** Begins a phase; `total` steps are to come, when that is known. */
  phase(title: string, total?: number): void;
  /** So many steps of the phase are done. */
  step(done: number): void;
  /** A fact worth a line of its own. */
  note(text: string): void;
  /** Ends the last phase. */
  end(): void;
}

/** Says nothing. */
export const silentProgress: Progress = { phase() {}, step() {}, note() {}, end() {} };

/** Where progress goes: a terminal, or anything that takes text. */
export interface ProgressOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const BAR_CELLS = 24;
const REDRAW_MS = 80;

/**
 * Draws bars that move on a terminal; elsewhere, one line a phase. Colours only on a terminal, and not with NO_COLOR.
 */
export class TerminalProgress implements Progress {
  readonly #out: ProgressOutput;
  readonly #live: boolean;
  readonly #colour: boolean;
  #title = '';
  #total: number | undefined;
  #done = 0;
  #began = 0;
  #drawnAt = 0;

  constructor(out: ProgressOutput, env: Readonly<Record<string, string | undefined>>) {
    this.#out = out;
    this.#live = out.isTTY === true && env['TERM'] !== 'dumb' && env['CI'] === undefined;
    this.#colour = this.#live && (env['NO_COLOR'] ?? '') === '';
  }

  phase(title: string, total?: number): void {
    this.end();
    this.#title = title;
    this.#total = total;
    this.#done = 0;
    this.#began = performance.now();
    this.#draw();
  }

  step(done: number): void {
    this.#done = done;
    if (performance.now() - this.#drawnAt >= REDRAW_MS) this.#draw();
  }

  note(text: string): void {
    if (this.#live) this.#out.write('\r\x1b[K');
    this.#out.write(`  ${text}\n`);
    this.#draw();
  }

  end(): void {
    if (this.#title === '') return;
    const seconds = ((performance.now() - this.#began) / 1000).toFixed(1);
    const count = this.#total === undefined ? '' : `  ${this.#done} of ${this.#total}`;
    if (this.#live) this.#out.write('\r\x1b[K');
    this.#out.write(`${this.#paint('32', '✓')} ${this.#title}${count}  ${this.#paint('2', `${seconds} s`)}\n`);
    this.#title = '';
  }

  #draw(): void {
    if (!this.#live || this.#title === '') return;
    this.#drawnAt = performance.now();
    // A line that wraps could not be cleared; colours take no room.
    const columns = this.#out.columns ?? 80;
    const room = Math.max(0, columns - BAR_CELLS);
    const line =
      this.#total === undefined
        ? `… ${this.#title}`.slice(0, columns)
        : this.#bar(this.#total) + ` ${this.#title}  ${this.#done}/${this.#total}`.slice(0, room);
    this.#out.write(`\r\x1b[K${line}`);
  }

  #bar(total: number): string {
    const filled = total === 0 ? BAR_CELLS : Math.min(BAR_CELLS, Math.floor((this.#done / total) * BAR_CELLS));
    return this.#paint('36', '█'.repeat(filled)) + this.#paint('2', '░'.repeat(BAR_CELLS - filled));
  }

  #paint(code: string, text: string): string {
    return this.#colour ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}
