/** Lets requests wait for the next directory: so many at most, each for a while. */
export class NextRound {
  readonly #maxWaiters: number;
  readonly #waiting = new Set<() => void>();

  constructor(maxWaiters: number) {
    this.#maxWaiters = maxWaiters;
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** A directory went public, or everything ends: all wait no more. */
  wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /**
   * Waits until {@link NextRound.wake}, or so long, or until the signal.
   *
   * @returns false, at once, when too many wait already
   */
  wait(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    if (this.#waiting.size >= this.#maxWaiters) return Promise.resolve(false);
    if (signal.aborted) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#waiting.delete(done);
        resolve(true);
      };
      const timer = setTimeout(done, timeoutMs);
      signal.addEventListener('abort', done);
      this.#waiting.add(done);
    });
  }
}
