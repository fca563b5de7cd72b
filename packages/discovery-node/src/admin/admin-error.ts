import { z } from 'zod';
import type { ADMIN_CODES, AdminErrorBody } from './protocol.js';

/** What a method throws when it has something to say in the protocol's own codes. */
export class AdminError extends Error {
  override readonly name = 'AdminError';
  readonly code: (typeof ADMIN_CODES)[number];
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: (typeof ADMIN_CODES)[number],
    message: string,
    options: { readonly retryable?: boolean; readonly details?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message);
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? {};
  }
}

/** What may go to the other end of an error: of our own errors all, of others only that there was one. */
export function errorBody(error: unknown): AdminErrorBody {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string' || !('retryable' in error)) {
    return { code: 'ADMIN_FAILED', message: 'this should not have happened; the log has more', retryable: false };
  }
  const details = 'details' in error ? plainDetails(error.details) : undefined;
  const message = error.message.replace(/ \[[A-Z_]+\]$/, '');
  return { code: error.code, message, retryable: error.retryable === true, ...(details ? { details } : {}) };
}

/** The details that are plain values. */
function plainDetails(details: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof details !== 'object' || details === null) return undefined;
  const plain = Object.entries(details).filter(([, value]) => value === null || typeof value !== 'object');
  return plain.length === 0 ? undefined : Object.fromEntries(plain);
}

/** Parameters that do not fit their schema. */
export function invalidParams(error: z.ZodError): AdminError {
  const problems = z.prettifyError(error);
  return new AdminError('ADMIN_INVALID_PARAMS', `the parameters are wrong: ${problems}`, { details: { problems } });
}
