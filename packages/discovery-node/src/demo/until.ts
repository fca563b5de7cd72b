import { NodeError } from '../errors.js';

/** How to wait. */
export interface UntilOptions {
  /** Real milliseconds after which to give up. */
  readonly limitMs: number;
  /** Pause between two looks; default 1. */
  readonly everyMs?: number;
  /** Called between two looks with the real milliseconds since the last one. */
  tick?(elapsedMs: number): void | Promise<void>;
}

/** Waits, in real time, until a condition holds. @throws NodeError NODE_DEMO_STALLED */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  options: UntilOptions,
): Promise<void> {
  const began = performance.now();
  let last = began;
  while (!(await condition())) {
    const now = performance.now();
    if (now - began > options.limitMs) {
      throw new NodeError('NODE_DEMO_STALLED', `waited ${options.limitMs} ms in vain for ${what}`, { what });
    }
    await options.tick?.(now - last);
    last = now;
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 1));
  }
}
