import { RaftError, type RaftErrorCode } from '../core/errors.js';
import type { MaybePromise } from '../ports/log-store.js';

/**
 * One thing that a port promises. Runs under any test framework.
 *
 * @example
 * for (const check of logStoreConformance(() => new MyLogStore())) test(check.name, check.run);
 */
export interface ConformanceCheck {
  /** What is promised, as a sentence. */
  readonly name: string;
  /** Resolves when the promise is kept. @throws ConformanceError, or what the implementation threw */
  readonly run: () => Promise<void>;
}

/** An implementation does not keep what its port promises. */
export class ConformanceError extends Error {
  override readonly name = 'ConformanceError';
}

/** Fails unless `condition` holds. @throws ConformanceError */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new ConformanceError(what);
}

/** Fails unless both values hold the same. @throws ConformanceError */
export function assertSame(actual: unknown, expected: unknown, what: string): void {
  assert(same(actual, expected), `${what}: expected ${show(expected)}, got ${show(actual)}`);
}

/** Fails unless the call throws, or rejects with, a RaftError of one of these codes. @throws ConformanceError */
export async function assertRefuses(
  codes: readonly RaftErrorCode[],
  what: string,
  call: () => MaybePromise<unknown>,
): Promise<void> {
  let error: unknown;
  try {
    await call();
  } catch (thrown) {
    error = thrown;
  }
  assert(error !== undefined, `${what}: expected an error, got none`);
  assert(
    error instanceof RaftError,
    `${what}: expected a RaftError, got ${error instanceof Error ? error.message : show(error)}`,
  );
  assert(codes.includes(error.code), `${what}: expected ${codes.join(' or ')}, got ${error.code}`);
}

function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    if (!(a instanceof Uint8Array) || !(b instanceof Uint8Array) || a.length !== b.length) return false;
    return a.every((byte, i) => byte === b[i]);
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  // A property that is undefined is as good as none.
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  for (const key of keys) if (!same(Reflect.get(a, key), Reflect.get(b, key))) return false;
  return true;
}

function show(value: unknown): string {
  const text = JSON.stringify(value, (_key, item: unknown) =>
    item instanceof Uint8Array ? `${item.length} bytes: ${item.slice(0, 16).join(' ')}` : item,
  );
  return text === undefined ? String(value) : text.slice(0, 500);
}
