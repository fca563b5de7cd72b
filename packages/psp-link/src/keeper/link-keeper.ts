import {
  silentLogger,
  systemClock,
  systemRandom,
  type Clock,
  type Logger,
  type Random,
} from '@discovery-raft/raft-core';
import { connectPsp, type ConnectOptions } from '../connection/connect.js';
import type { PspConnection } from '../connection/psp-connection.js';
import type { LinkCredentials } from '../credentials/credentials.js';
import { LinkError, type LinkErrorCode } from '../errors.js';
import { DEFAULT_LINK_LIMITS, type LinkLimits } from '../limits.js';
import type { KeeperCounters, LinkState } from './link-state.js';
import { awaitLink, type HeldLink, type PeerLink } from './peer-link.js';
import { PeerSlot } from './peer-slot.js';

/** A node to be linked with. */
export interface LinkPeer {
  /** Any text; names the peer in this keeper. */
  readonly id: string;
  /** Upper-case hex of 32 bytes. */
  readonly fingerprint: string;
  readonly host: string;
  readonly port: number;
}

/** Options of a {@link LinkKeeper}. */
export interface LinkKeeperOptions {
  /** This node's own fingerprint, upper-case hex. */
  readonly self: string;
  readonly credentials: LinkCredentials;
  readonly peers: readonly LinkPeer[];
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
  readonly limits?: LinkLimits;
  /** Wait after a first failure. Default 100. */
  readonly minBackoffMs?: number;
  /** Longest wait. Default 5,000. */
  readonly maxBackoffMs?: number;
  /** How to dial. Default {@link connectPsp}. */
  readonly connect?: (options: ConnectOptions) => Promise<PspConnection>;
}

/**
 * Keeps one live link to each trusted peer. It dials, takes what peers dial, and tries again when a link breaks.
 *
 * Both ends dial, so that one that cannot be reached is still linked. Two connections of one pair are settled without
 * talk: while both are new, the one wins that the smaller fingerprint opened, which both ends know; later, the newer one
 * wins, because nobody dials who still has a link. The larger fingerprint dials a little later, so this is rare.
 */
export class LinkKeeper {
  readonly #options: LinkKeeperOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #limits: LinkLimits;
  readonly #slots = new Map<string, PeerSlot>();
  readonly #counters: KeeperCounters = { dialled: 0, accepted: 0, linked: 0, replaced: 0, surplus: 0, failed: {} };
  #credentials: LinkCredentials;
  #listener: ((peer: string, link: PeerLink) => void) | null = null;
  #closed = false;

  constructor(options: LinkKeeperOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#limits = options.limits ?? DEFAULT_LINK_LIMITS;
    this.#credentials = options.credentials;
    this.setPeers(options.peers);
  }

  /** Counted since the beginning. Read it, do not write to it. */
  get counters(): Readonly<KeeperCounters> {
    return this.#counters;
  }

  /** Sets who is told of each new link. It takes the place of the peer's older one, which is closed after the call. */
  onLink(listener: (peer: string, link: PeerLink) => void): void {
    this.#listener = listener;
    for (const slot of this.#slots.values()) if (slot.link !== null) this.#announce(slot.link);
  }

  /** Whether the node with this fingerprint is a peer: what a listener's `trusted` should ask. */
  isPeer(fingerprint: string): boolean {
    return this.#slotOf(fingerprint) !== undefined;
  }

  /** What is done about a peer, or undefined for one that is not known. */
  state(peer: string): LinkState | undefined {
    return this.#slots.get(peer)?.state;
  }

  /** Ids of the peers. */
  peers(): readonly string[] {
    return [...this.#slots.keys()];
  }

  /** Dials with other credentials from now on. Links that are up stay. */
  setCredentials(credentials: LinkCredentials): void {
    this.#credentials = credentials;
  }

  /**
   * Names the peers anew. Links to those that stay are left alone; a peer under another address is dialled there next
   * time; links to those that are gone, or that have another fingerprint now, are closed.
   *
   * @throws LinkError LINK_INVALID_OPTION when two have the same id or fingerprint, or one is this node itself
   */
  setPeers(peers: readonly LinkPeer[]): void {
    if (this.#closed) return;
    this.#checkPeers(peers);
    const wanted = new Map(peers.map((peer) => [peer.id, peer]));
    for (const [id, slot] of [...this.#slots]) {
      if (wanted.get(id)?.fingerprint === slot.peer.fingerprint) continue;
      this.#slots.delete(id);
      slot.close();
    }
    for (const peer of peers) {
      const known = this.#slots.get(peer.id);
      if (known !== undefined) known.moveTo(peer);
      else this.#slots.set(peer.id, this.#newSlot(peer));
    }
  }

  /** Takes an authenticated connection that a listener let in. A stranger's is closed. */
  accept(connection: PspConnection): void {
    const { fingerprint } = connection.peer;
    const slot = fingerprint === null ? undefined : this.#slotOf(fingerprint);
    if (this.#closed || slot === undefined) {
      const error = new LinkError('LINK_UNTRUSTED_PEER', 'this node is no peer', { fingerprint });
      if (!this.#closed) this.#count(error.code);
      return connection.close(error);
    }
    this.#counters.accepted++;
    awaitLink(slot.peer.id, connection, this.#clock, this.#limits.streamTimeoutMs).then(
      (link) => slot.offer(link),
      (error: unknown) => {
        if (error instanceof LinkError) this.#count(error.code);
        this.#logger.debug('a peer opened a connection that came to nothing', { peer: slot.peer.id, error });
      },
    );
  }

  /** Closes all links and dials no more. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const slot of this.#slots.values()) slot.close();
    this.#slots.clear();
  }

  #newSlot(peer: LinkPeer): PeerSlot {
    const { self, connect = connectPsp, random = systemRandom() } = this.#options;
    const { minBackoffMs = 100, maxBackoffMs = 5_000 } = this.#options;
    return new PeerSlot(peer, {
      dialsFirst: self < peer.fingerprint,
      crossingMs: this.#limits.handshakeTimeoutMs,
      backoff: { minBackoffMs, maxBackoffMs },
      clock: this.#clock,
      random,
      counters: this.#counters,
      dial: ({ host, port, fingerprint }, signal) =>
        connect({
          host,
          port,
          expectedFingerprint: fingerprint,
          credentials: this.#credentials,
          limits: this.#limits,
          clock: this.#clock,
          logger: this.#logger,
          signal,
        }),
      linked: (link) => this.#announce(link),
      failed: (error) => {
        this.#count(error.code);
        this.#logger.debug('there is no link to a peer', { peer: peer.id, error });
      },
    });
  }

  #announce(link: HeldLink): void {
    try {
      this.#listener?.(link.peer, link);
    } catch (error) {
      this.#logger.error('a listener for links threw, and the link is closed', { peer: link.peer, error });
      link.close();
    }
  }

  #count(code: LinkErrorCode): void {
    this.#counters.failed[code] = (this.#counters.failed[code] ?? 0) + 1;
  }

  #slotOf(fingerprint: string): PeerSlot | undefined {
    for (const slot of this.#slots.values()) if (slot.peer.fingerprint === fingerprint) return slot;
    return undefined;
  }

  #checkPeers(peers: readonly LinkPeer[]): void {
    const ids = new Set(peers.map(({ id }) => id));
    const fingerprints = new Set(peers.map(({ fingerprint }) => fingerprint));
    if (ids.size < peers.length || fingerprints.size < peers.length || fingerprints.has(this.#options.self)) {
      throw new LinkError('LINK_INVALID_OPTION', 'peers are others, each with an id and a fingerprint of its own', {
        option: 'peers',
      });
    }
  }
}
