import type { ServerId } from '@discovery-raft/raft-core';
import type { Panel } from './checkers/panel.js';
import type { Clients } from './clients/clients.js';
import type { Operator } from './clients/operator.js';
import type { Servers } from './node/servers.js';
import type { SimNode } from './node/sim-node.js';
import type { Scenario } from './scenario/scenario.js';
import type { VirtualClock } from './time/virtual-clock.js';

/** How often a refused probe or replacement is tried again. */
const PROBE_EVERY_MS = 50;

/** Whether the cluster is one again, now that the faults are over. */
export class Convergence {
  readonly #scenario: Scenario;
  readonly #world: VirtualClock;
  readonly #servers: Servers;
  readonly #panel: Panel;
  readonly #clients: Clients;
  readonly #operator: Operator;
  #replacing = false;
  #probing = false;
  #nextProbeMs = 0;
  /** Where the write stands that shows that the cluster works; 0 before it does. */
  #probeIndex = 0;

  constructor(parts: {
    scenario: Scenario;
    world: VirtualClock;
    servers: Servers;
    panel: Panel;
    clients: Clients;
    operator: Operator;
  }) {
    this.#scenario = parts.scenario;
    this.#world = parts.world;
    this.#servers = parts.servers;
    this.#panel = parts.panel;
    this.#clients = parts.clients;
    this.#operator = parts.operator;
  }

  /** Servers of the last configuration that is committed, but for ruined ones; before there is one, of the first. */
  members(): SimNode[] {
    const { log } = this.#panel;
    const { servers, outgoing = [] } = log.lastIndex === 0 ? this.#scenario.configuration : log.configuration;
    const ids = new Set([...servers, ...outgoing].map(({ id }) => id));
    return [...ids].map((id) => this.#servers.node(id)).filter(({ ruined }) => !ruined);
  }

  /** The member that leads, if one does. */
  leader(): SimNode | undefined {
    return this.members().find(({ raft }) => raft?.state === 'leader');
  }

  /**
   * A leader that all follow has committed a new write, and all have stored and applied it. Servers that have stopped for good, as
   * the duties of the caller tell of, are replaced first.
   */
  reached(): boolean {
    const members = this.members();
    const leader = this.leader();
    if (leader === undefined) return false;
    for (const { raft } of members) if (raft?.leader?.id !== leader.id) return false;
    const { outgoing, servers } = leader.raft!.getConfiguration().configuration;
    if (outgoing !== undefined || this.#clients.awaitingRestore) return false;
    const ruined = servers.find(({ id }) => this.#servers.node(id).ruined);
    if (ruined !== undefined) this.#replace(leader, ruined.id);
    if (ruined !== undefined || servers.some(({ suffrage }) => suffrage === 'staging')) return false;
    if (this.#probeIndex === 0) {
      this.#probe(leader);
      return false;
    }
    return members.every(
      ({ raft, disk }) =>
        raft!.readable &&
        // A write that a fault made slow may be under way still.
        disk.platter.lastIndex >= raft!.lastIndex &&
        raft!.appliedIndex >= this.#probeIndex &&
        raft!.appliedIndex === leader.raft!.lastIndex,
    );
  }

  /**
   * Ends servers that do not belong to the cluster and do not know it. While it recovers, those are the ones whose removal
   * was asked for; once it is calm, also those whose joining came to nothing: the configuration that named them was
   * rolled back everywhere but with them, so they campaign by it for ever. With pre-votes and check-quorum they stay, since
   * they must not disturb anybody; without them they must be expected to (Raft thesis, section 4.2.3), and an operator
   * would switch them off. What disks say counts only until then: one that is slow may lag behind what its server knows.
   */
  sweep(outside: (node: SimNode) => boolean, calm = false): void {
    const { preVote, checkQuorum } = this.#scenario.config;
    if (preVote === true && checkQuorum === true) return;
    const { configurations } = this.#panel;
    const needed = new Set(this.members().flatMap((node) => [node.id, ...(calm ? [] : configurations.namesOn(node))]));
    for (const node of this.#servers.nodes) {
      if (node.part === 'used' && !needed.has(node.id) && outside(node)) this.#servers.switchOff(node);
    }
  }

  #replace(leader: SimNode, id: ServerId): void {
    if (this.#replacing || this.#world.now < this.#nextProbeMs) return;
    this.#replacing = true;
    this.#nextProbeMs = this.#world.now + PROBE_EVERY_MS;
    const over = (): void => {
      this.#replacing = false;
    };
    void this.#operator.replaceRuined(leader, id).then(over, over);
  }

  #probe(leader: SimNode): void {
    if (this.#probing || this.#world.now < this.#nextProbeMs) return;
    this.#probing = true;
    this.#nextProbeMs = this.#world.now + PROBE_EVERY_MS;
    void this.#clients.write('probe', leader, 'k1')?.then(({ outcome, index }) => {
      this.#probing = false;
      if (outcome === 'ok') this.#probeIndex = index;
    });
  }
}
