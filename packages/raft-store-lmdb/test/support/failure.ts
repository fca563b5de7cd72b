import { StoreError } from '../../src/index.js';

/** The StoreError that a call fails with; anything else fails the test. */
export async function failureOf(call: unknown): Promise<StoreError> {
  try {
    await (typeof call === 'function' ? (call as () => unknown)() : call);
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
  throw new Error('the call did not fail');
}
