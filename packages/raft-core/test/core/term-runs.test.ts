import fc from 'fast-check';
import { TermRuns } from '../../src/core/term-runs.js';

/** The same thing with one number an entry. */
class NaiveTerms {
  terms: number[];
  base: number;

  constructor(base: number, baseTerm: number) {
    this.base = base;
    this.terms = [baseTerm];
  }

  get last(): number {
    return this.base + this.terms.length - 1;
  }

  at(index: number): number | undefined {
    return this.terms[index - this.base];
  }
}

type Change =
  | { readonly op: 'push'; readonly grow: number; readonly count: number }
  | { readonly op: 'truncate'; readonly part: number }
  | { readonly op: 'compact'; readonly part: number };

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ op: fc.constant('push' as const), grow: fc.nat(2), count: fc.nat(4) }),
  fc.record({ op: fc.constant('truncate' as const), part: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ op: fc.constant('compact' as const), part: fc.double({ min: 0, max: 1, noNaN: true }) }),
);

function apply(runs: TermRuns, naive: NaiveTerms, step: Change): void {
  const length = naive.last - naive.base;
  if (step.op === 'push') {
    const term = naive.terms.at(-1)! + step.grow;
    runs.extend(term, step.count);
    for (let i = 0; i < step.count; i++) naive.terms.push(term);
  } else if (step.op === 'truncate') {
    const from = naive.base + 1 + Math.floor(step.part * length);
    runs.truncateFrom(from);
    naive.terms.length = from - naive.base;
  } else {
    const through = naive.base + Math.floor(step.part * length);
    runs.compactThrough(through);
    naive.terms.splice(0, through - naive.base);
    naive.base = through;
  }
}

function compare(runs: TermRuns, naive: NaiveTerms): void {
  expect([runs.base, runs.lastIndex, runs.lastTerm]).toEqual([naive.base, naive.last, naive.terms.at(-1)]);
  for (let index = naive.base - 1; index <= naive.last + 1; index++) expect(runs.termAt(index)).toBe(naive.at(index));
  for (let index = naive.base; index <= naive.last; index++) {
    const start = naive.base + naive.terms.indexOf(naive.at(index)!);
    expect(runs.runStart(index)).toBe(start);
    for (const term of [naive.at(index)! - 1, naive.at(index)!, naive.at(index)! + 1]) {
      const until = naive.terms.slice(0, index - naive.base + 1);
      const found = until.findLastIndex((t) => t <= term);
      expect(runs.lastIndexWithTermAtMost(term, index)).toBe(naive.base + Math.max(found, 0));
    }
  }
}

describe('TermRuns', () => {
  test('answers as a list of one term an entry does, whatever is done to it', () => {
    fc.assert(
      fc.property(fc.nat(5), fc.nat(3), fc.array(change, { maxLength: 12 }), (base, baseTerm, changes) => {
        const runs = new TermRuns(base, baseTerm);
        const naive = new NaiveTerms(base, baseTerm);
        for (const step of changes) apply(runs, naive, step);
        compare(runs, naive);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test('does not know what lies outside', () => {
    const runs = new TermRuns(10, 3);
    runs.extend(4, 2);
    expect([9, 10, 11, 12, 13].map((index) => runs.termAt(index))).toEqual([undefined, 3, 4, 4, undefined]);
  });

  test('keeps the term of the entry that it was compacted through', () => {
    const runs = new TermRuns(0, 0);
    runs.extend(1, 3);
    runs.extend(2, 3);
    runs.compactThrough(4);
    expect([runs.base, runs.termAt(3), runs.termAt(4), runs.termAt(5)]).toEqual([4, undefined, 2, 2]);
    runs.compactThrough(2);
    expect(runs.base).toBe(4);
  });

  test('extending by nothing changes nothing', () => {
    const runs = new TermRuns(0, 0);
    runs.extend(7, 0);
    expect([runs.lastIndex, runs.lastTerm]).toEqual([0, 0]);
  });
});
