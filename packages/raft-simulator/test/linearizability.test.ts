import * as fc from 'fast-check';
import { Linearizability, whyNotLinearizable } from '../src/checkers/linearizability.js';
import type { Operation, Outcome } from '../src/clients/operation.js';

interface Call {
  readonly kind: 'write' | 'read';
  readonly value: string | null;
  readonly from: number;
  readonly to: number;
  readonly outcome?: Outcome;
}

function history(calls: readonly Call[]): Operation[] {
  return calls.map(({ kind, value, from, to, outcome = 'ok' }, i) => ({
    id: i + 1,
    client: 'c',
    server: 'n',
    kind,
    key: 'k',
    value,
    invokedAt: from,
    completedAt: to,
    outcome,
    index: 0,
    term: 0,
    previous: null,
    batch: 0,
    readIndex: 0,
    error: '',
  }));
}

const write = (value: string, from: number, to: number, outcome: Outcome = 'ok'): Call => ({
  kind: 'write',
  value,
  from,
  to,
  outcome,
});
const read = (value: string | null, from: number, to: number): Call => ({ kind: 'read', value, from, to });

/** The naive twin: tries every order that real time allows. */
function naive(calls: readonly Call[]): boolean {
  const seen = new Set(calls.filter(({ kind }) => kind === 'read').map(({ value }) => value));
  const counted = calls.filter(
    ({ kind, value, outcome }) => kind === 'read' || outcome === 'ok' || (outcome === 'unknown' && seen.has(value)),
  );
  const endOf = (call: Call): number => (call.outcome === 'unknown' ? Infinity : call.to);
  const go = (left: readonly Call[], state: string | null): boolean =>
    left.length === 0 ||
    left.some((next) => {
      if (left.some((other) => other !== next && endOf(other) < next.from)) return false;
      if (next.kind === 'read' && next.value !== state) return false;
      return go(
        left.filter((other) => other !== next),
        next.kind === 'write' ? next.value : state,
      );
    });
  return go(counted, null);
}

describe('whyNotLinearizable', () => {
  test.each<[string, readonly Call[], boolean]>([
    ['a read after a write', [write('a', 1, 2), read('a', 3, 4)], true],
    ['a read of the empty register after a write', [write('a', 1, 2), read(null, 3, 4)], false],
    ['a stale read', [write('a', 1, 2), write('b', 3, 4), read('a', 5, 6)], false],
    ['reads beside a write', [write('a', 1, 10), read(null, 2, 3), read('a', 4, 5)], true],
    ['a read that goes back', [write('a', 1, 10), read('a', 2, 3), read(null, 4, 5)], false],
    ['a write that nobody heard of and somebody saw', [write('a', 1, 2, 'unknown'), read('a', 8, 9)], true],
    ['a write that failed and was seen', [write('a', 1, 2, 'failed'), read('a', 8, 9)], false],
    ['a read of the future', [read('a', 1, 2), write('a', 3, 4)], false],
    ['a value that nobody wrote', [read('a', 1, 2)], false],
    ['an old unknown write that shows late', [write('a', 1, 2, 'unknown'), write('b', 3, 4), read('a', 5, 6)], true],
  ])('%s', (_, calls, linearizable) => {
    expect(whyNotLinearizable(history(calls)) === null).toBe(linearizable);
  });

  test('agrees with a search of all orders', () => {
    const span = fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 12 }));
    const call = fc.tuple(fc.constantFrom('write', 'read', 'unknown'), fc.integer({ min: 0, max: 3 }), span);
    let moment = 0;
    fc.assert(
      fc.property(fc.array(call, { maxLength: 7 }), (drawn) => {
        const calls = drawn.map(([what, value, [from, length]], i): Call => {
          // Every moment is taken once.
          const at = { from: from * 100 + i, to: (from + length) * 100 + 50 + i };
          if (what === 'read') return { kind: 'read', value: value === 0 ? null : `v${value}`, ...at };
          return { kind: 'write', value: `v${i}`, ...at, outcome: what === 'unknown' ? 'unknown' : 'ok' };
        });
        const written = new Map(calls.filter(({ kind }) => kind === 'write').map((c) => [c.value, c]));
        // A read sees something that was written, and not before that began: the rest is tested above.
        const sane = calls.filter(
          (c) => c.kind === 'write' || c.value === null || (written.get(c.value)?.from ?? Infinity) < c.to,
        );
        moment++;
        expect(whyNotLinearizable(history(sane)) === null).toBe(naive(sane));
      }),
      { numRuns: 2000, seed: 7 },
    );
    expect(moment).toBeGreaterThan(1000);
  });
});

describe('a history that begins with something', () => {
  const call = (kind: Call['kind'], value: string | null, from: number, to: number): Call => ({
    kind,
    value,
    from,
    to,
  });

  test('what was there is seen until it is overwritten, and not after', () => {
    const before = [call('read', 'old', 1, 2), call('write', 'a', 3, 4), call('read', 'a', 5, 6)];
    expect(whyNotLinearizable(history(before), 'old')).toBeNull();
    expect(whyNotLinearizable(history([...before, call('read', 'old', 7, 8)]), 'old')).not.toBeNull();
  });

  test('it is not empty', () => {
    expect(whyNotLinearizable(history([call('read', null, 1, 2)]), 'old')).toMatch('nothing');
  });
});

describe('the checker of a whole simulation', () => {
  const run = (calls: readonly Call[], prepare: (checker: Linearizability) => void): string[] => {
    const reports: string[] = [];
    const checker = new Linearizability((message) => reports.push(message));
    prepare(checker);
    checker.finished(history(calls));
    return reports;
  };
  const stale: readonly Call[] = [
    { kind: 'write', value: 'a', from: 1, to: 2 },
    { kind: 'write', value: 'b', from: 3, to: 4 },
    { kind: 'read', value: 'a', from: 5, to: 6 },
  ];

  test('a stale read is reported, unless a restore of which nobody can be sure was under way', () => {
    expect(run(stale, () => undefined)).toHaveLength(1);
    expect(run(stale, (checker) => checker.doubt(4))).toEqual([]);
    const over = (checker: Linearizability): void => {
      checker.doubt(2);
      checker.certain(5);
    };
    expect(run(stale, over)).toHaveLength(1);
  });

  test('after a disaster only what comes later is judged, by what was left', () => {
    expect(run(stale, (checker) => checker.split(history(stale.slice(0, 2)), new Map([['k', 'a']])))).toEqual([]);
    expect(run(stale, (checker) => checker.split(history(stale.slice(0, 2)), new Map([['k', 'b']])))).toHaveLength(1);
  });
});
