import type { Logger } from '@discovery-raft/raft-core';

/** What has to be closed, in reverse order; one that fails does not keep the others open. */
export class Closers {
  readonly #logger: Logger;
  readonly #open: { readonly what: string; readonly close: () => Promise<unknown> | void }[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Something was opened. */
  add(what: string, close: () => Promise<unknown> | void): void {
    this.#open.push({ what, close });
  }

  /** Closes everything; idempotent. */
  async closeAll(): Promise<void> {
    for (let last = this.#open.pop(); last !== undefined; last = this.#open.pop()) {
      try {
        await last.close();
      } catch (error) {
        this.#logger.error('something could not be closed', { what: last.what, error });
      }
    }
  }
}
