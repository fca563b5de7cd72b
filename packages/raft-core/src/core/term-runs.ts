import type { LogIndex, Term } from './types.js';

/**
 * The terms of a log's entries, as runs: since terms only grow along a log, a handful of numbers answers for millions of
 * entries, and no entry needs to be read to learn its term.
 */
export class TermRuns {
  /** Where each run begins; ascending, as are the terms. */
  #starts: LogIndex[];
  #terms: Term[];
  #last: LogIndex;

  /** @param base index before the first entry, and its term (0, 0 for a whole log) */
  constructor(base: LogIndex, baseTerm: Term) {
    this.#starts = [base];
    this.#terms = [baseTerm];
    this.#last = base;
  }

  get lastIndex(): LogIndex {
    return this.#last;
  }

  get lastTerm(): Term {
    return this.#terms.at(-1)!;
  }

  /** Index before the first entry. */
  get base(): LogIndex {
    return this.#starts[0]!;
  }

  /** Term of the entry at `index`, from `base` to `lastIndex`; undefined outside. */
  termAt(index: LogIndex): Term | undefined {
    if (index > this.#last || index < this.#starts[0]!) return undefined;
    return this.#terms[this.#runOf(index)];
  }

  /** First index of the run that `index` lies in; `index` must be inside. Never below `base`. */
  runStart(index: LogIndex): LogIndex {
    return this.#starts[this.#runOf(index)]!;
  }

  /** Last index at or below `index` whose term is at most `term`; `base` when all are above. */
  lastIndexWithTermAtMost(term: Term, index: LogIndex): LogIndex {
    let run = this.#runOf(Math.min(index, this.#last));
    let end = Math.min(index, this.#last);
    while (run >= 0 && this.#terms[run]! > term) {
      end = this.#starts[run]! - 1;
      run--;
    }
    return Math.max(end, this.base);
  }

  /** One more entry at the end. */
  push(term: Term): void {
    this.#last++;
    if (term !== this.#terms.at(-1)) {
      this.#starts.push(this.#last);
      this.#terms.push(term);
    }
  }

  /** `count` more entries of one term. */
  extend(term: Term, count: number): void {
    if (count === 0) return;
    this.push(term);
    this.#last += count - 1;
  }

  /** Drops `from` and all after it. */
  truncateFrom(from: LogIndex): void {
    this.#last = Math.min(this.#last, from - 1);
    while (this.#starts.length > 1 && this.#starts.at(-1)! > this.#last) {
      this.#starts.pop();
      this.#terms.pop();
    }
  }

  /** Makes `index` the new base; its term stays known. */
  compactThrough(index: LogIndex): void {
    if (index <= this.base) return;
    const run = this.#runOf(index);
    this.#starts.splice(0, run);
    this.#terms.splice(0, run);
    this.#starts[0] = index;
  }

  #runOf(index: LogIndex): number {
    let low = 0;
    let high = this.#starts.length - 1;
    if (index >= this.#starts[high]!) return high;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#starts[middle]! <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
