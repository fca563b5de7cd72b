import {
  RaftError,
  seededRandom,
  type Clock,
  type Random,
  type RpcRequest,
  type ServerId,
} from '@discovery-raft/raft-core';
import type { MemoryTransport } from '../memory-transport.js';
import type { OutgoingRpc } from '../outgoing-rpc.js';
import type { PeerTransport } from '../peer-transport.js';
import { copyRequest } from '../rpc-copy.js';
import type { RpcStream } from '../rpc-stream.js';
import { DirectedLink, type Parcel } from './directed-link.js';
import { mergeFaults, NO_FAULTS, type LinkFaults } from './faults.js';

/** Options of a {@link MemoryNetwork}. */
export interface MemoryNetworkOptions {
  /** Carries every hop: a turn of the event loop, or a timer where there is latency. */
  readonly clock: Clock;
  /** Decides every fault, so one seed replays a run; default a fixed seed. */
  readonly random?: Random;
  /** Faults of all links at the start; default {@link NO_FAULTS}. */
  readonly faults?: Partial<LinkFaults>;
  /** Messages that one directed link may hold; more are lost. Default 65,536. */
  readonly maxMessagesPerLink?: number;
}

/** What happened on the network so far, in messages: requests and answers each count as one. */
export interface NetworkStats {
  readonly sent: number;
  readonly delivered: number;
  /** Lost by `lossRate`, or on a full link. */
  readonly lost: number;
  /** Swallowed by a cut. */
  readonly cut: number;
  readonly duplicated: number;
  readonly reordered: number;
  /** Requests to a node that is not connected; their senders see RAFT_TRANSPORT_FAILED. */
  readonly unreachable: number;
}

interface Node {
  readonly transport: MemoryTransport;
  readonly streams: Set<RpcStream>;
  stopListening: () => void;
}

/**
 * A network in one process, for tests, simulation and benchmarks: it consumes the proxies of many
 * {@link MemoryTransport}s and carries requests and answers over directed links with seeded faults.
 *
 * A message that is lost or cut off leaves no trace: its sender times out. Messages on one directed link arrive in the
 * order in which they were sent, unless reordering picks them.
 */
export class MemoryNetwork {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #maxMessagesPerLink: number;
  readonly #nodes = new Map<ServerId, Node>();
  readonly #links = new Map<ServerId, Map<ServerId, DirectedLink>>();
  readonly #isolated = new Set<ServerId>();
  #faults: LinkFaults;
  #turn: DirectedLink[] = [];
  readonly #stats = { sent: 0, delivered: 0, lost: 0, cut: 0, duplicated: 0, reordered: 0, unreachable: 0 };

  /** @throws RaftError RAFT_INVALID_OPTION */
  constructor(options: MemoryNetworkOptions) {
    this.#clock = options.clock;
    this.#random = options.random ?? seededRandom(1);
    this.#faults = mergeFaults(NO_FAULTS, options.faults ?? {});
    this.#maxMessagesPerLink = options.maxMessagesPerLink ?? 65_536;
  }

  get stats(): NetworkStats {
    return { ...this.#stats };
  }

  /** Puts a node on the network under its `localId`; one that stood there before is disconnected. */
  connect(transport: MemoryTransport): void {
    this.disconnect(transport.localId);
    const node: Node = { transport, streams: new Set(), stopListening: () => undefined };
    this.#nodes.set(transport.localId, node);
    node.stopListening = transport.onPeer((peer) => void this.#consume(node, peer));
  }

  /**
   * Takes a node off the network, as when it crashes: requests to it fail, its own stay in its queues until they time
   * out, and its answers to requests that reached it vanish. What is on a link already arrives.
   */
  disconnect(id: ServerId): void {
    const node = this.#nodes.get(id);
    if (node === undefined) return;
    this.#nodes.delete(id);
    node.stopListening();
    for (const stream of [...node.streams]) void stream.return();
  }

  /** Cuts the link between two nodes, both ways. Messages on it are lost too. */
  cut(a: ServerId, b: ServerId): void {
    this.cutOneWay(a, b);
    this.cutOneWay(b, a);
  }

  /** Cuts one direction: `from` is not heard by `to` any more, but hears it. */
  cutOneWay(from: ServerId, to: ServerId): void {
    this.#link(from, to).cut = true;
  }

  /** Cuts a node off from every other, also from ones that connect later. */
  isolate(id: ServerId): void {
    this.#isolated.add(id);
  }

  /**
   * Cuts every link between nodes of different groups, on top of the cuts that there are. Nodes that no group names keep
   * all their links: a bridge between the halves is a node left out.
   */
  partition(groups: readonly (readonly ServerId[])[]): void {
    groups.forEach((group, i) => {
      for (const other of groups.slice(i + 1)) for (const a of group) for (const b of other) this.cut(a, b);
    });
  }

  /**
   * Mends. Without arguments everything; with `a`, all cuts that touch it, and its isolation; with `a` and `b`, the link
   * between the two, both ways (an isolation stays).
   */
  heal(a?: ServerId, b?: ServerId): void {
    if (a === undefined) this.#isolated.clear();
    else if (b === undefined) this.#isolated.delete(a);
    for (const link of this.#allLinks()) {
      const touchesA = a === undefined || link.from === a || link.to === a;
      const touchesB = b === undefined || link.from === b || link.to === b;
      if (touchesA && touchesB) link.cut = false;
    }
  }

  /**
   * Changes faults; fields that are not given stay. Without `link`, of the network and every link that has none of its
   * own; with `link`, of that direction alone, which keeps its own from then on.
   *
   * @throws RaftError RAFT_INVALID_OPTION
   */
  setFaults(change: Partial<LinkFaults>, link?: { readonly from: ServerId; readonly to: ServerId }): void {
    if (link !== undefined) {
      const one = this.#link(link.from, link.to);
      one.faults = mergeFaults(one.faults, change);
      one.ownFaults = true;
      return;
    }
    this.#faults = mergeFaults(this.#faults, change);
    for (const each of this.#allLinks()) if (!each.ownFaults) each.faults = this.#faults;
  }

  /** Takes all faults away, also those of single links; cuts stay. */
  clearFaults(): void {
    this.#faults = NO_FAULTS;
    for (const link of this.#allLinks()) {
      link.faults = NO_FAULTS;
      link.ownFaults = false;
    }
  }

  async #consume(node: Node, peer: PeerTransport): Promise<void> {
    const stream = peer.proxy();
    node.streams.add(stream);
    for await (const rpc of stream) {
      this.#post(this.#link(node.transport.localId, rpc.target.id), { kind: 'request', rpc, at: 0 });
    }
    node.streams.delete(stream);
  }

  #post(link: DirectedLink, parcel: Parcel): void {
    this.#stats.sent++;
    if (this.#isCut(link)) {
      this.#stats.cut++;
      return;
    }
    if (this.#happens(link.faults.lossRate) || link.length >= this.#maxMessagesPerLink) {
      this.#stats.lost++;
      return;
    }
    this.#schedule(link, parcel);
    if (this.#happens(link.faults.duplicationRate)) {
      this.#stats.duplicated++;
      this.#schedule(link, { ...parcel });
    }
  }

  #schedule(link: DirectedLink, parcel: Parcel): void {
    const { latencyMs, jitterMs, reorderRate, reorderDelayMs } = link.faults;
    const delay = latencyMs + (jitterMs > 0 ? this.#random.next() * jitterMs : 0);
    if (this.#happens(reorderRate)) {
      this.#stats.reordered++;
      this.#clock.setTimer(delay + this.#random.next() * reorderDelayMs, () => this.#arrive(link, parcel));
      return;
    }
    // Without delay there is no need to ask what time it is: 0 is always past.
    parcel.at = Math.max(delay > 0 ? this.#clock.now() + delay : 0, link.lastArrival);
    link.push(parcel);
    if (link.timed) return;
    if (parcel.at === 0) this.#awaitTurn(link);
    else if (!link.inTurn) this.#awaitTime(link);
  }

  /** All links with something to deliver at once share one turn of the event loop. */
  #awaitTurn(link: DirectedLink): void {
    if (link.inTurn) return;
    link.inTurn = true;
    if (this.#turn.push(link) > 1) return;
    this.#clock.defer(() => {
      const links = this.#turn;
      this.#turn = [];
      for (const each of links) {
        each.inTurn = false;
        this.#deliverDue(each);
      }
    });
  }

  #awaitTime(link: DirectedLink): void {
    const at = link.nextArrival;
    if (at === undefined || link.timed) return;
    link.timed = true;
    this.#clock.setTimer(at - this.#clock.now(), () => {
      link.timed = false;
      this.#deliverDue(link);
    });
  }

  #deliverDue(link: DirectedLink): void {
    for (const parcel of link.takeDue(link.nextArrival === 0 && link.lastArrival === 0 ? 0 : this.#clock.now())) {
      this.#arrive(link, parcel);
    }
    this.#awaitTime(link);
  }

  #arrive(link: DirectedLink, parcel: Parcel): void {
    if (this.#isCut(link)) {
      this.#stats.cut++;
      return;
    }
    switch (parcel.kind) {
      case 'request':
        this.#deliver(link, parcel.rpc);
        return;
      case 'response':
        this.#stats.delivered++;
        parcel.rpc.respond(parcel.response);
        return;
      case 'failure':
        this.#stats.delivered++;
        parcel.rpc.fail(parcel.error);
        return;
    }
  }

  #deliver(link: DirectedLink, rpc: OutgoingRpc): void {
    const back = this.#link(link.to, link.from);
    const node = this.#nodes.get(link.to);
    if (node === undefined) {
      this.#stats.unreachable++;
      const error = new RaftError('RAFT_TRANSPORT_FAILED', 'the peer is not on the network', { peerId: link.to });
      this.#post(back, { kind: 'failure', rpc, error, at: 0 });
      return;
    }
    this.#stats.delivered++;
    const answer = (parcel: Parcel): void => {
      if (this.#nodes.get(link.to) === node) this.#post(back, parcel);
    };
    node.transport
      .peer(link.from)
      .deliver(this.#requestFor(link, rpc))
      .then(
        (response) => answer({ kind: 'response', rpc, response, at: 0 }),
        (error: unknown) => answer({ kind: 'failure', rpc, error, at: 0 }),
      );
  }

  /** Where messages are duplicated, each delivery gets a request of its own, as from a wire. */
  #requestFor(link: DirectedLink, rpc: OutgoingRpc): RpcRequest {
    return link.faults.duplicationRate > 0 ? copyRequest(rpc.request) : rpc.request;
  }

  /** Draws only where a fault is possible: without faults, randomness costs nothing. */
  #happens(rate: number): boolean {
    return rate > 0 && this.#random.next() < rate;
  }

  #isCut(link: DirectedLink): boolean {
    if (link.cut) return true;
    if (this.#isolated.size === 0 || link.from === link.to) return false;
    return this.#isolated.has(link.from) || this.#isolated.has(link.to);
  }

  #link(from: ServerId, to: ServerId): DirectedLink {
    let row = this.#links.get(from);
    if (row === undefined) this.#links.set(from, (row = new Map<ServerId, DirectedLink>()));
    let link = row.get(to);
    if (link === undefined) row.set(to, (link = new DirectedLink(from, to, this.#faults)));
    return link;
  }

  *#allLinks(): Iterable<DirectedLink> {
    for (const row of this.#links.values()) yield* row.values();
  }
}
