import type { Clock, Timer } from '@discovery-raft/raft-core';
import { describeFailure, type SourceAnswer } from '../errors.js';

/** What one source gave: something of use, or why not. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  /** `code` and `detail` as in {@link SourceAnswer}. */
  | { readonly ok: false; readonly code: string; readonly detail: string };

/** What {@link race} takes. */
export interface RaceOptions<S extends { readonly name: string }, T> {
  /** In the order in which they are asked. */
  readonly sources: readonly S[];
  readonly ask: (source: S, signal: AbortSignal) => Promise<Answer<T>>;
  /** Whether `a` is to be preferred. */
  readonly isBetter: (a: T, b: T) => boolean;
  /** Whether nobody else need be asked. */
  readonly isEnough: (value: T) => boolean;
  readonly clock: Clock;
  /** How long to wait for a source before the next is asked too. One that fails makes the next start at once. */
  readonly staggerMs: number;
  /** Once there is something of use that is not enough: how long to wait for something better. All are asked then. */
  readonly windowMs: number;
  /** Sources that are asked at the same time. */
  readonly maxConcurrent: number;
  /** All that it may take. */
  readonly timeoutMs: number;
  /** Ends it early, with what there is. */
  readonly signal?: AbortSignal;
}

/** What came of it. */
export interface RaceResult<S, T> {
  readonly best: { readonly source: S; readonly value: T } | undefined;
  /** Of all that were asked, in that order. */
  readonly answers: readonly SourceAnswer[];
}

/**
 * Asks several sources for the same thing, one after the other with a short delay, and takes the first answer that is
 * enough, or the best that comes within a window. One dead or slow source costs a delay, not the whole waiting time, and
 * the load is not multiplied by the number of sources. Whoever is still busy at the end is told to stop. Never rejects.
 */
export function race<S extends { readonly name: string }, T>(options: RaceOptions<S, T>): Promise<RaceResult<S, T>> {
  return new Promise((resolve) => new Race(options, resolve).start());
}

class Race<S extends { readonly name: string }, T> {
  readonly #options: RaceOptions<S, T>;
  readonly #resolve: (result: RaceResult<S, T>) => void;
  readonly #stop = new AbortController();
  readonly #answers: SourceAnswer[] = [];
  readonly #onAbort = (): void => this.#finish();
  #best: { readonly source: S; readonly value: T } | undefined;
  #busy = 0;
  #hurry = false;
  #done = false;
  #timers: Timer[] = [];
  #stagger: Timer | undefined;

  constructor(options: RaceOptions<S, T>, resolve: (result: RaceResult<S, T>) => void) {
    this.#options = options;
    this.#resolve = resolve;
  }

  start(): void {
    const { signal, clock, timeoutMs } = this.#options;
    if (signal?.aborted === true) return this.#finish();
    signal?.addEventListener('abort', this.#onAbort);
    this.#timers.push(clock.setTimer(timeoutMs, () => this.#finish()));
    this.#next();
  }

  /** Asks the next source, and sees to it that the one after it has its turn. */
  #next(): void {
    this.#stagger?.cancel();
    this.#stagger = undefined;
    const { sources, maxConcurrent, clock, staggerMs } = this.#options;
    do {
      if (this.#done || this.#busy >= maxConcurrent) return;
      const source = sources[this.#answers.length];
      if (source === undefined) {
        if (this.#busy === 0) this.#finish();
        return;
      }
      this.#ask(source);
    } while (this.#hurry);
    this.#stagger = clock.setTimer(staggerMs, () => this.#next());
  }

  #ask(source: S): void {
    const at = this.#answers.length;
    this.#answers.push({ source: source.name, code: 'pending', detail: '' });
    this.#busy++;
    const asked = async (): Promise<Answer<T>> => this.#options.ask(source, this.#stop.signal);
    asked()
      .catch((error: unknown): Answer<T> => ({ ok: false, ...describeFailure(error) }))
      .then(
        (answer) => {
          if (this.#done) return;
          this.#busy--;
          const { code, detail } = answer.ok ? { code: 'good', detail: '' } : answer;
          this.#answers[at] = { source: source.name, code, detail };
          if (answer.ok) this.#take(source, answer.value);
          if (!this.#done) this.#next();
        },
        () => undefined,
      );
  }

  #take(source: S, value: T): void {
    const { isBetter, isEnough, clock, windowMs } = this.#options;
    if (this.#best === undefined || isBetter(value, this.#best.value)) this.#best = { source, value };
    if (isEnough(value)) return this.#finish();
    if (this.#hurry) return;
    this.#hurry = true;
    this.#timers.push(clock.setTimer(windowMs, () => this.#finish()));
  }

  #finish(): void {
    if (this.#done) return;
    this.#done = true;
    this.#stagger?.cancel();
    for (const timer of this.#timers) timer.cancel();
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#resolve({ best: this.#best, answers: this.#answers });
    this.#stop.abort();
  }
}
