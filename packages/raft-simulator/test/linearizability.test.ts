import * as fc from 'fast-check';
import { whyNotLinearizable } from '../src/checkers/linearizability.js';
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
