import { simulate } from '../src/index.js';

/** Each runs 30 virtual seconds, on a machine that may be busy. */
describe('fixed seeds', () => {
  // After the disaster of 801703, a term is used again that servers which are lost for good have entries of.
  test.each([1, 14, 61, 72, 89, 801_703])('seed %i breaks no rule', async (seed) => {
    const result = await simulate(seed);
    expect(result.violation).toBeNull();
    expect(result.committed).toBeGreaterThan(0);
  });

  test('the same seed gives the same trace, recorded or not; another seed another', async () => {
    const [first, second, other] = [await simulate(3), await simulate(3, { record: true }), await simulate(4)];
    expect(second.traceHash).toBe(first.traceHash);
    expect(second.traceEvents).toBe(first.traceEvents);
    expect(second.trace).toHaveLength(second.traceEvents);
    expect(first.trace).toHaveLength(0);
    expect(other.traceHash).not.toBe(first.traceHash);
  });
});
