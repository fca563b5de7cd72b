import type { Clock, Random, Timer } from '@discovery-raft/raft-core';
import type { PspConnection } from '../connection/psp-connection.js';
import { LinkError, type LinkErrorCode } from '../errors.js';
import { backoffMs, type BackoffOptions } from './backoff.js';
import type { LinkPeer } from './link-keeper.js';
import type { KeeperCounters, LinkState } from './link-state.js';
import { openLink, type HeldLink } from './peer-link.js';

/** How much later the larger fingerprint of a pair dials, in milliseconds: time for the other to have linked them. */
const SECOND_DIALLER_DELAY_MS = 250;
/** A link that was up for so long, in milliseconds, makes earlier failures forgotten. */
const STABLE_MS = 5_000;

/** What a slot needs of its keeper. */
export interface PeerSlotOptions {
  /** Whether this node's fingerprint is the smaller one. */
  readonly dialsFirst: boolean;
  /** For how long two connections of a pair count as opened at the same time, in milliseconds. */
  readonly crossingMs: number;
  readonly backoff: BackoffOptions;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: KeeperCounters;
  dial(peer: LinkPeer, signal: AbortSignal): Promise<PspConnection>;
  linked(link: HeldLink): void;
  failed(error: LinkError): void;
}

/** The place of one peer: at most one link, at most one attempt, at most one wait. */
export class PeerSlot {
  #peer: LinkPeer;
  readonly #options: PeerSlotOptions;
  #link: HeldLink | null = null;
  #linkedAt = 0;
  #attempt: AbortController | null = null;
  #attemptedAt = 0;
  #timer: Timer | null = null;
  #dialAt = 0;
  #failures = 0;
  #lastError: LinkErrorCode | null = null;
  #closed = false;

  constructor(peer: LinkPeer, options: PeerSlotOptions) {
    this.#peer = peer;
    this.#options = options;
    this.#wait();
  }

  get peer(): LinkPeer {
    return this.#peer;
  }

  get link(): HeldLink | null {
    return this.#link;
  }

  get state(): LinkState {
    const past = { lastError: this.#lastError, failures: this.#failures };
    if (this.#link !== null) {
      return { ...past, status: 'up', since: this.#linkedAt, initiator: this.#link.initiator };
    }
    if (this.#attempt !== null) return { ...past, status: 'connecting', since: this.#attemptedAt };
    return { ...past, status: 'backoff', until: this.#dialAt };
  }

  /** The peer is to be found elsewhere. When there is no link, it is looked for there at once. */
  moveTo(peer: LinkPeer): void {
    const moved = peer.host !== this.#peer.host || peer.port !== this.#peer.port;
    this.#peer = peer;
    if (!moved || this.#link !== null) return;
    this.#failures = 0;
    this.#giveUpAttempt();
    this.#wait();
  }

  /** A new connection to the peer, ready for use: takes the place of the link, or is closed. */
  offer(link: HeldLink): void {
    const { counters, clock } = this.#options;
    if (this.#closed || !link.connection.open) return link.close();
    const old = this.#link;
    if (old !== null && !this.#takesThePlace(link, old)) {
      counters.surplus++;
      link.connection.close(new LinkError('LINK_REPLACED', 'there is a link to this peer', { peer: this.#peer.id }));
      return;
    }
    this.#link = link;
    this.#linkedAt = clock.now();
    this.#stopWaiting();
    // The attempt of the smaller fingerprint would win: let it.
    if (!this.#options.dialsFirst) this.#giveUpAttempt();
    counters.linked++;
    link.onClose((error) => this.#ended(link, error));
    this.#options.linked(link);
    if (old === null) return;
    counters.replaced++;
    old.connection.close(new LinkError('LINK_REPLACED', 'a newer link took its place', { peer: this.#peer.id }));
  }

  close(): void {
    this.#closed = true;
    this.#stopWaiting();
    this.#giveUpAttempt();
    this.#link?.close();
  }

  #takesThePlace(link: HeldLink, old: HeldLink): boolean {
    if (link.initiator === old.initiator) return true;
    const isCrossing = this.#options.clock.now() - this.#linkedAt < this.#options.crossingMs;
    return isCrossing ? link.initiator === this.#options.dialsFirst : true;
  }

  #ended(link: HeldLink, error: LinkError | null): void {
    if (this.#link !== link) return;
    this.#link = null;
    this.#lastError = error?.code ?? null;
    const wasStable = this.#options.clock.now() - this.#linkedAt >= STABLE_MS;
    this.#failures = wasStable ? 0 : this.#failures + 1;
    if (this.#closed) return;
    if (error !== null) this.#options.failed(error);
    if (this.#attempt === null) this.#wait();
  }

  #wait(): void {
    const { clock, random, backoff, dialsFirst } = this.#options;
    this.#stopWaiting();
    const delayMs = backoffMs(this.#failures, backoff, random) + (dialsFirst ? 0 : SECOND_DIALLER_DELAY_MS);
    this.#dialAt = clock.now() + delayMs;
    this.#timer = clock.setTimer(delayMs, () => void this.#dial());
  }

  async #dial(): Promise<void> {
    const attempt = new AbortController();
    this.#timer = null;
    this.#attempt = attempt;
    this.#attemptedAt = this.#options.clock.now();
    this.#options.counters.dialled++;
    try {
      const connection = await this.#options.dial(this.#peer, attempt.signal);
      // The streams need a while as well, in which the attempt can be given up.
      const giveUp = (): void => connection.close();
      attempt.signal.addEventListener('abort', giveUp);
      if (attempt.signal.aborted) giveUp();
      const link = await openLink(this.#peer.id, connection);
      attempt.signal.removeEventListener('abort', giveUp);
      if (this.#attempt === attempt) this.#attempt = null;
      this.offer(link);
      if (this.#link === null) this.#retry(null);
    } catch (error) {
      if (this.#attempt !== attempt) return;
      this.#attempt = null;
      if (this.#link === null) this.#retry(error);
    }
  }

  /** An attempt came to nothing while there is no link. */
  #retry(error: unknown): void {
    if (this.#closed) return;
    const failure = error instanceof LinkError ? error : new LinkError('LINK_UNREACHABLE', 'no link', {}, error);
    this.#failures++;
    this.#lastError = failure.code;
    this.#options.failed(failure);
    this.#wait();
  }

  #giveUpAttempt(): void {
    const attempt = this.#attempt;
    this.#attempt = null;
    attempt?.abort();
  }

  #stopWaiting(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}
