import type { Handled, RefusalCode } from '../refusals.js';

/** The answer of a handler that did not heed a message. `detail` is for people. */
export function no(code: RefusalCode, detail: string): Handled {
  return { ok: false, code, detail };
}
