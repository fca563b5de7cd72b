import { KeyObject } from 'node:crypto';
import { SigningKey } from '@discovery-raft/psp-pki';

const MAX_DEPTH = 4;
const MAX_ENTRIES = 32;
const MAX_TEXT = 2000;
/** Names whose values are never shown, whatever they are. */
const SECRET = /seed|secret|private|password|passphrase|^pem$/i;

/**
 * What may be written of a value: plain, bounded, and without key material. Bytes are told by their number only, since some
 * are keys.
 */
export function plain(value: unknown, depth = 0): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'string') return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}...` : value;
  if (typeof value === 'function' || typeof value === 'symbol') return `[${typeof value}]`;
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return plainError(value, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof KeyObject || value instanceof SigningKey) return '[withheld]';
  if (depth >= MAX_DEPTH) return '[deeper]';
  if (Array.isArray(value)) return value.slice(0, MAX_ENTRIES).map((item) => plain(item, depth + 1));
  if (value instanceof Map || value instanceof Set) return `[${value.size} entries]`;
  const entries = Object.entries(value).slice(0, MAX_ENTRIES);
  return Object.fromEntries(
    entries.map(([name, of]) => [name, SECRET.test(name) ? '[withheld]' : plain(of, depth + 1)]),
  );
}

function plainError(error: Error, depth: number): unknown {
  const { name, message, cause } = error;
  const code = 'code' in error ? plain(error.code, depth + 1) : undefined;
  return {
    name,
    ...(code === undefined ? {} : { code }),
    message: plain(message, depth),
    ...(cause === undefined || depth >= MAX_DEPTH ? {} : { cause: plain(cause, depth + 1) }),
  };
}
