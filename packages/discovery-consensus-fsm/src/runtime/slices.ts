import type { Steps } from '@discovery-raft/psp-envelope';
import type { Context } from './context.js';

/** What {@link inSlices} gives when nobody wanted the result any more. */
export const DROPPED = Symbol('dropped');

/**
 * Does long work a step at a time, and lets everything else that waits have its turn in between. Without a `yieldNow` port
 * the work is done at one go.
 *
 * @param isDropped asked after each pause; when it says yes, the rest is not done
 */
export function inSlices<Result>(context: Context, steps: Steps<Result>): Promise<Result>;
export function inSlices<Result>(
  context: Context,
  steps: Steps<Result>,
  isDropped: () => boolean,
): Promise<Result | typeof DROPPED>;
export async function inSlices<Result>(
  context: Context,
  steps: Steps<Result>,
  isDropped?: () => boolean,
): Promise<Result | typeof DROPPED> {
  const { yieldNow } = context.ports;
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (yieldNow !== undefined) await yieldNow();
    if (isDropped?.() === true) return DROPPED;
  }
}

/** Counts the records of a long walk, and says when it is time to let others have a turn. */
export class Pace {
  readonly #context: Context;
  #left: number;

  constructor(context: Context) {
    this.#context = context;
    this.#left = context.config.recordsPerSlice;
  }

  /** One more; true when `pause` is due. */
  isDue(): boolean {
    return --this.#left <= 0;
  }

  /** Lets others have a turn. */
  async pause(): Promise<void> {
    this.#left = this.#context.config.recordsPerSlice;
    await this.#context.ports.yieldNow?.();
  }
}
