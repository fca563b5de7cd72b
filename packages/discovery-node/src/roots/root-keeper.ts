import { rosterAt, type Roster, type RosterSource } from '@discovery-raft/discovery-consensus-fsm';
import type { SignedTrustRoot } from '@discovery-raft/protocol';
import {
  MAX_ROOTS_PER_MESSAGE,
  TrustRootChain,
  type ChainStep,
  type RootCrypto,
  type TrustRootDocument,
} from '@discovery-raft/psp-envelope';
import { silentLogger, type Logger } from '@discovery-raft/raft-core';
import { damagedRoots } from './file-root-store.js';
import { nodesToLink, rosterOf, type KnownNode, type ReachableNode } from './known-nodes.js';
import { MemoryRootStore, type RootStore } from './root-store.js';

/** What {@link RootKeeper.open} takes. */
export interface RootKeeperOptions {
  /** The root that is believed without proof. */
  readonly first: TrustRootDocument;
  /** Where the nodes of a first root are, which does not say. */
  readonly configured: readonly KnownNode[];
  readonly crypto: RootCrypto;
  /** Default: in memory. */
  readonly store?: RootStore;
  readonly logger?: Logger;
}

/** What a node does when it learns from others that it lacks roots, or they do. */
export interface RootRumours {
  missing(peer: string, version: number): void;
  outdated(peer: string, version: number): void;
}

/**
 * A node's chain of trust roots: verified, stored before it counts, and told to all that follow it. What is offered may come
 * from anybody.
 */
export class RootKeeper implements RosterSource {
  readonly configured: readonly KnownNode[];
  readonly crypto: RootCrypto;
  readonly #store: RootStore;
  readonly #logger: Logger;
  readonly #listeners = new Set<() => void>();
  #chain: TrustRootChain;
  #rosters: readonly Roster[] = [];
  #rumours: RootRumours = { missing: () => undefined, outdated: () => undefined };
  /** Offers go one after the other: each extends what the one before left. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: RootKeeperOptions, chain: TrustRootChain) {
    this.configured = options.configured;
    this.crypto = options.crypto;
    this.#store = options.store ?? new MemoryRootStore();
    this.#logger = options.logger ?? silentLogger;
    this.#chain = chain;
    this.#setRosters();
  }

  /**
   * Loads the stored roots and verifies them against the first one.
   *
   * @throws NodeError NODE_DATA_CORRUPT, which says what to do; EnvelopeError, PkiError for a first root that is none
   */
  static async open(options: RootKeeperOptions): Promise<RootKeeper> {
    const { first, crypto, store } = options;
    crypto.signersOf(first);
    let chain = TrustRootChain.from(first, crypto.sha256);
    const stored = (await store?.load()) ?? [];
    for (let at = 0; at < stored.length; at += MAX_ROOTS_PER_MESSAGE) {
      const step = await chain.extend(stored.slice(at, at + MAX_ROOTS_PER_MESSAGE), crypto);
      if (step.refused !== null) throw damagedRoots('the data directory', new Error(describe(step)));
      chain = step.chain;
    }
    return new RootKeeper(options, chain);
  }

  get chain(): TrustRootChain {
    return this.#chain;
  }

  rosters(): readonly Roster[] {
    return this.#rosters;
  }

  /** Whether an identity is a node of the root in force at a moment, or of one to come. */
  isNode(identity: string, unixSeconds: number): boolean {
    const present = this.#rosters.indexOf(rosterAt(this.#rosters, unixSeconds));
    return this.#rosters.slice(present).some(({ members }) => members.some((member) => member.identity === identity));
  }

  onChanged(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Sets who acts on rumours; see `RootExchange`. */
  setRumours(rumours: RootRumours): void {
    this.#rumours = rumours;
  }

  missing(peer: string, version: number): void {
    this.#rumours.missing(peer, version);
  }

  outdated(peer: string, version: number): void {
    this.#rumours.outdated(peer, version);
  }

  /** The nodes to be linked with, this one among them; see `nodesToLink`. */
  linked(unixSeconds: number, servers: readonly string[]): readonly ReachableNode[] {
    return nodesToLink(this.#chain, unixSeconds, servers, this.configured);
  }

  /**
   * Verifies roots and takes those that follow. What was taken is durable when this resolves.
   *
   * @param from who gave them, for the log
   * @throws errors of the store; then nothing was taken
   */
  offer(roots: readonly SignedTrustRoot[], from: string): Promise<ChainStep> {
    const step = this.#turn.then(() => this.#offer(roots, from));
    this.#turn = step.catch(() => undefined);
    return step;
  }

  async #offer(roots: readonly SignedTrustRoot[], from: string): Promise<ChainStep> {
    const step = await this.#chain.extend(roots, this.crypto);
    if (step.refused !== null) {
      // A fork means that more nodes lie than a network can bear: a person has to know.
      const tell = step.refused.code === 'forked' ? 'error' : 'warn';
      this.#logger[tell]('a trust root is not to be believed', { from, ...step.refused });
    }
    if (step.taken === 0) return step;
    await this.#store.save(step.chain.after(step.chain.first.document.version, Infinity));
    this.#chain = step.chain;
    this.#setRosters();
    const { version, activation, nodes } = step.chain.newest.document;
    this.#logger.info('there is a new trust root', { from, version, activation, nodes: nodes.length });
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (error) {
        this.#logger.error('a listener for trust roots threw', { error });
      }
    }
    return step;
  }

  #setRosters(): void {
    const fresh = this.#chain.roots.slice(this.#rosters.length);
    this.#rosters = [...this.#rosters, ...fresh.map((root) => rosterOf(root, this.configured))];
  }
}

function describe({ refused }: ChainStep): string {
  return refused === null ? '' : `${refused.code}: ${refused.detail}`;
}
