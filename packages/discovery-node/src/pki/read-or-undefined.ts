import { PkiError } from '@discovery-raft/psp-pki';

/** Bytes that cannot be read are an expected outcome of `read`; anything else that it throws is a bug and goes on. */
export function readOrUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof PkiError) return undefined;
    throw error;
  }
}
