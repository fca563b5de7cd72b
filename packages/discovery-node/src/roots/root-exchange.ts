import { create } from '@bufbuild/protobuf';
import { PullTrustRootsSchema, TrustRootsSchema, type SignedTrustRoot } from '@discovery-raft/protocol';
import { answerRootPull, type DiscoveryMessage } from '@discovery-raft/psp-envelope';
import type { Clock, Logger } from '@discovery-raft/raft-core';
import type { RootKeeper, RootRumours } from './root-keeper.js';

/** Pause between two questions to one peer. */
const ASK_AGAIN_MS = 1_000;

/** What {@link RootExchange} takes. */
export interface RootExchangeOptions {
  readonly keeper: RootKeeper;
  /** Version of the discovery protocol. */
  readonly protocolVersion: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Sends to a peer. May reject when there is no link. */
  send(peer: string, message: DiscoveryMessage): Promise<void>;
  /** Those that are told of a new root. */
  peers(): readonly string[];
}

type Offered = readonly SignedTrustRoot[] | undefined;

/**
 * How trust roots go from node to node: asked for (event 2012) and sent (event 2013). A peer that never showed that it knows
 * of them is told nothing while there is only the first root: nodes of older versions end a link that carries an event which
 * they do not know.
 */
export class RootExchange implements RootRumours {
  readonly #options: RootExchangeOptions;
  readonly #askedAt = new Map<string, number>();
  /** Newest version that each peer is known to have. */
  readonly #versions = new Map<string, number>();
  /** Peers whose roots are being judged, which takes signatures, and what each has sent meanwhile. */
  readonly #offered = new Map<string, Offered>();

  constructor(options: RootExchangeOptions) {
    this.#options = options;
    options.keeper.setRumours(this);
    options.keeper.onChanged(() => this.#spread());
  }

  /** A link to a peer was made. */
  linked(peer: string): void {
    this.#askedAt.delete(peer);
    if (this.#newest > this.#options.keeper.chain.first.document.version) this.#ask(peer);
  }

  missing(peer: string, version: number): void {
    this.#versions.set(peer, version);
    this.#ask(peer);
  }

  outdated(peer: string, version: number): void {
    this.#versions.set(peer, version);
    this.#tell(peer);
  }

  /** Takes what a peer sends over its authenticated link. */
  async receive(from: string, message: DiscoveryMessage): Promise<void> {
    if (message.event === 'pullTrustRoots') {
      const version = Number(message.body.newerThan);
      this.#versions.set(from, version);
      this.#send(from, { event: 'trustRoots', body: answerRootPull(this.#options.keeper.chain, message.body) });
      if (version > this.#newest) this.#ask(from);
    } else if (message.event === 'trustRoots') {
      const isBusy = this.#offered.has(from);
      this.#offered.set(from, isBusy ? message.body.roots : undefined);
      if (!isBusy) await this.#offerAll(from, message.body.roots);
    }
  }

  /** Has what a peer sends judged, a message at a time; of what comes meanwhile, the last. */
  async #offerAll(from: string, first: readonly SignedTrustRoot[]): Promise<void> {
    try {
      for (let roots: Offered = first; roots !== undefined; roots = this.#offered.get(from)) {
        this.#offered.set(from, undefined);
        await this.#offer(from, roots);
      }
    } finally {
      this.#offered.delete(from);
    }
  }

  async #offer(from: string, roots: readonly SignedTrustRoot[]): Promise<void> {
    const { taken, refused } = await this.#options.keeper.offer(roots, from);
    if (taken === 0) return;
    this.#versions.set(from, Math.max(this.#newest, this.#versions.get(from) ?? 0));
    // One message may not have held them all.
    this.#askedAt.delete(from);
    if (refused === null) this.#ask(from);
  }

  get #newest(): number {
    return this.#options.keeper.chain.newest.document.version;
  }

  #spread(): void {
    for (const peer of this.#options.peers()) if ((this.#versions.get(peer) ?? 0) < this.#newest) this.#tell(peer);
  }

  #ask(peer: string): void {
    const { clock, protocolVersion: version } = this.#options;
    const now = clock.now();
    if (now - (this.#askedAt.get(peer) ?? -Infinity) < ASK_AGAIN_MS) return;
    this.#askedAt.set(peer, now);
    const body = create(PullTrustRootsSchema, { version, requestID: 1n, newerThan: BigInt(this.#newest) });
    this.#send(peer, { event: 'pullTrustRoots', body });
  }

  /** What a peer lacks; all that fits into a message, and it asks for the rest. */
  #tell(peer: string): void {
    const { chain } = this.#options.keeper;
    const version = Math.max(this.#versions.get(peer) ?? 0, chain.first.document.version);
    const pull = create(PullTrustRootsSchema, { newerThan: BigInt(version) });
    const { roots } = answerRootPull(chain, pull);
    this.#send(peer, { event: 'trustRoots', body: create(TrustRootsSchema, { roots }) });
  }

  #send(peer: string, message: DiscoveryMessage): void {
    this.#options.send(peer, message).catch((error: unknown) => {
      // The next link, or the next round, brings it up again.
      this.#options.logger.debug('trust roots could not be sent', { peer, error });
    });
  }
}
