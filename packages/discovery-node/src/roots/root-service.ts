import type { DiscoveryMessage } from '@discovery-raft/psp-envelope';
import type { Clock, Logger } from '@discovery-raft/raft-core';
import { RaftMembership, type RaftMembershipOptions } from '../node/raft-membership.js';
import type { ReachableNode } from './known-nodes.js';
import { RootExchange } from './root-exchange.js';
import type { RootKeeper } from './root-keeper.js';

/** What {@link RootService} takes. */
export interface RootServiceOptions {
  readonly self: string;
  readonly keeper: RootKeeper;
  readonly raft: RaftMembershipOptions['raft'];
  readonly protocolVersion: string;
  /** Unix seconds. */
  readonly now: () => number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Sends to a peer. May reject when there is no link. */
  send(peer: string, message: DiscoveryMessage): Promise<void>;
}

/** What follows from the trust root while a node runs: whom it links with, who Raft's servers are, and that others learn it. */
export class RootService {
  readonly exchange: RootExchange;
  readonly #options: RootServiceOptions;
  readonly #membership: RaftMembership;
  readonly #looks = new Set<() => void>();
  readonly #listeners = new Set<(peers: readonly ReachableNode[]) => void>();
  #peers: readonly ReachableNode[];
  #removed: () => void = () => undefined;

  constructor(options: RootServiceOptions) {
    const { self, keeper, raft, now, clock, logger } = options;
    this.#options = options;
    this.#peers = this.#linked();
    this.exchange = new RootExchange({ ...options, peers: () => this.#everyOther() });
    this.#membership = new RaftMembership({
      ...{ self, raft, now, clock, logger },
      rosters: () => keeper.rosters(),
      removed: () => this.#removed(),
      looked: () => this.#look(),
    });
    keeper.onChanged(() => this.#look());
  }

  start(): void {
    this.#membership.start();
  }

  stop(): void {
    this.#membership.stop();
  }

  /** The nodes that this one should be linked with at this moment. */
  get peers(): readonly ReachableNode[] {
    return this.#peers;
  }

  /** Every node that can be reached by what any root says, this one among them. */
  get everyNode(): readonly ReachableNode[] {
    const { keeper, now } = this.#options;
    return keeper.linked(
      now(),
      keeper.rosters().flatMap(({ members }) => members.map(({ identity }) => identity)),
    );
  }

  /** What the root in force, or else the next one that does, says of this node; undefined when none names it. */
  get own(): ReachableNode | undefined {
    const { self, keeper, now } = this.#options;
    return keeper.linked(now(), []).find(({ identity }) => identity === self);
  }

  /** Whether an identity is a node of the root in force, or of one to come. */
  isNode(identity: string): boolean {
    const { keeper, now } = this.#options;
    return keeper.isNode(identity, now());
  }

  /** Calls back whenever other nodes are to be linked with, or the same ones elsewhere. */
  onPeers(listener: (peers: readonly ReachableNode[]) => void): void {
    this.#listeners.add(listener);
  }

  /** Calls back at every look, about once a second: what follows from the root also hangs on the time. */
  onLook(listener: () => void): void {
    this.#looks.add(listener);
  }

  /** Calls back when this node is none of the network any more. It may be called again and again. */
  onRemoved(listener: () => void): void {
    this.#removed = listener;
  }

  #linked(): readonly ReachableNode[] {
    const { self, keeper, raft, now } = this.#options;
    const servers = raft.getConfiguration().configuration.servers.map(({ id }) => id);
    return keeper.linked(now(), servers).filter(({ identity }) => identity !== self);
  }

  /** Every other node that any root names: also one that has just lost its place has to hear of it. */
  #everyOther(): readonly string[] {
    const { self, keeper } = this.#options;
    const names = keeper.rosters().flatMap(({ members }) => members.map(({ identity }) => identity));
    return [...new Set(names)].filter((identity) => identity !== self);
  }

  #look(): void {
    for (const listener of this.#looks) listener();
    const peers = this.#linked();
    if (JSON.stringify(peers) === JSON.stringify(this.#peers)) return;
    this.#peers = peers;
    for (const listener of this.#listeners) listener(peers);
  }
}
