import type { Clock, Random } from '@discovery-raft/raft-core';
import { renewalDueAt, slotSecondsOf } from '../directory/freshness.js';
import { isBetter } from '../directory/seen-mark.js';
import { ClientError } from '../errors.js';
import type { FullList } from './full-list.js';
import { pause } from './within.js';

/** What `watch` takes. */
export interface WatchOptions {
  /** Ends the watch. */
  readonly signal?: AbortSignal;
  /** What each look may take. Default 30,000. */
  readonly timeoutMs?: number;
  /** First pause after a look that gave nothing newer; doubled each time, up to a third of a slot. Default 2,000. */
  readonly retryMs?: number;
  /**
   * Called after each look that should have given a newer directory and did not: with the held one when it still holds
   * (its `missedRounds` tells how late the newer one is), else with the error.
   */
  readonly onTrouble?: (trouble: FullList | ClientError) => void;
}

/** What the watch needs of its client. */
export interface Watched {
  getFullList(timeoutMs: number): Promise<FullList>;
  refresh(timeoutMs: number): Promise<FullList>;
  nowSeconds(): number;
  readonly clock: Clock;
  readonly random: Random;
  readonly closed: AbortSignal;
}

/** A slot that is not known, before there is any directory: milliseconds of the longest pause. */
const LONGEST_PAUSE_MS = 300_000;

/**
 * Polls when the next directory is due rather than all the time: directories come by the clock. Jitter keeps the clients
 * of a network from asking all at the same moment.
 */
export async function* watchDirectory(client: Watched, options: WatchOptions): AsyncGenerator<FullList, void, void> {
  const { timeoutMs = 30_000, retryMs = 2_000, onTrouble } = options;
  const signals = options.signal === undefined ? [client.closed] : [client.closed, options.signal];
  const isOver = (): boolean => signals.some((signal) => signal.aborted);
  let last: FullList | undefined;
  let failures = 0;
  while (!isOver()) {
    let looked: FullList | ClientError;
    try {
      looked = last === undefined ? await client.getFullList(timeoutMs) : await client.refresh(timeoutMs);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      looked = error;
    }
    if (isOver()) return;
    if (!(looked instanceof ClientError) && (last === undefined || isBetter(looked.directory, last.directory))) {
      last = looked;
      yield looked;
    }
    const isTrouble = looked instanceof ClientError || looked.missedRounds > 0;
    if (isTrouble) onTrouble?.(looked);
    const dueInMs = last === undefined ? 0 : (nextLookAt(last, client.random) - client.nowSeconds()) * 1000;
    failures = dueInMs > 0 ? 0 : failures + 1;
    await pause(client.clock, dueInMs > 0 ? dueInMs : backOff(last, failures, retryMs, client.random), signals);
  }
}

/** Somewhere between the end of the slot and the moment by which its successor is there. */
function nextLookAt({ directory }: FullList, random: Random): number {
  const slotEnd = directory.creation + slotSecondsOf(directory);
  const grace = renewalDueAt(directory) - slotEnd;
  return slotEnd + grace * (0.25 + 0.75 * random.next());
}

function backOff(last: FullList | undefined, failures: number, retryMs: number, random: Random): number {
  const longest = last === undefined ? LONGEST_PAUSE_MS : (slotSecondsOf(last.directory) * 1000) / 3;
  return Math.min(longest, retryMs * 2 ** Math.min(failures - 1, 20)) * (0.5 + 0.5 * random.next());
}
