import type { Clock, Logger } from '@discovery-raft/raft-core';

/** How often one peer may raise an alarm. */
const ALARM_EVERY_MS = 60_000;

/** Tells a person of peers that misbehave: each at once, and then at most once a minute, with what came meanwhile. */
export class PeerAlarms {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #logger: Logger;
  /** By identity; only members are told of. */
  readonly #peers = new Map<string, { nextAt: number; untold: number }>();
  #raised = 0;

  constructor(clock: Pick<Clock, 'now'>, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Alarms since the start. */
  get raised(): number {
    return this.#raised;
  }

  /** @param detail what it did, and what to do about it */
  raise(code: string, peer: string, detail: string): void {
    const now = this.#clock.now();
    const known = this.#peers.get(peer) ?? { nextAt: now, untold: 0 };
    this.#peers.set(peer, known);
    known.untold++;
    if (now < known.nextAt) return;
    this.#logger.error('ALARM: somebody should look at this', { code, peer, detail, times: known.untold });
    known.nextAt = now + ALARM_EVERY_MS;
    known.untold = 0;
    this.#raised++;
  }
}
