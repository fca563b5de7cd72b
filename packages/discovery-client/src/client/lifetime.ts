/**
 * The time in which a client is open. Whatever runs in it has a signal of its own, since many listeners on one signal are
 * slow and look like a leak, of which Node warns.
 */
export class Lifetime {
  readonly #running = new Set<AbortController>();
  #over = false;

  /** Whether it has ended. */
  get over(): boolean {
    return this.#over;
  }

  /** Runs something that is told when the lifetime ends. */
  async run<T>(work: (ended: AbortSignal) => Promise<T>): Promise<T> {
    const { signal, done } = this.begin();
    try {
      return await work(signal);
    } finally {
      done();
    }
  }

  /** A signal for something that begins now. `done` is to be called when that has ended. */
  begin(): { readonly signal: AbortSignal; readonly done: () => void } {
    const controller = new AbortController();
    if (this.#over) controller.abort();
    else this.#running.add(controller);
    return { signal: controller.signal, done: () => void this.#running.delete(controller) };
  }

  /** Ends it; idempotent. */
  end(): void {
    this.#over = true;
    for (const controller of this.#running) controller.abort();
    this.#running.clear();
  }
}
