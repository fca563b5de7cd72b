import { RaftError, type Configuration, type LogEntry, type LogIndex, type Term } from '@discovery-raft/raft-core';
import type { Panel } from '../checkers/panel.js';
import type { Journal } from '../journal.js';
import { addressOf, type SimNetwork } from '../network/sim-network.js';
import type { Dice } from '../scenario/dice.js';
import type { VirtualClock } from '../time/virtual-clock.js';
import type { Servers } from './servers.js';
import { textOf } from './servers.js';
import type { SimNode } from './sim-node.js';

/** How long the operator waits before he tries again what cannot be done yet. */
const LATER_MS = 500;

/** How soon a recovery is killed, when it is. */
const INTERRUPT_MS = 5;

/** What the cluster goes on from after a disaster. */
export interface Recovery {
  /** What the log of the servers that are left holds; also what was never committed counts now. */
  readonly entries: readonly LogEntry[];
  /** Index of the last one. */
  readonly index: LogIndex;
  readonly term: Term;
  readonly configuration: Configuration;
}

/**
 * Every server is down, and most are lost for good: the operator recovers the cluster from those that are left and have the
 * most (`recoverCluster`). What only the others had is lost, acknowledged or not; what was in the log is committed now.
 */
export class Disaster {
  readonly #world: VirtualClock;
  readonly #network: SimNetwork;
  readonly #servers: Servers;
  readonly #panel: Panel;
  readonly #journal: Journal;
  readonly #dice: Dice;
  readonly #members: () => readonly SimNode[];
  readonly #recovered: (recovery: Recovery) => void;

  constructor(parts: {
    world: VirtualClock;
    network: SimNetwork;
    servers: Servers;
    panel: Panel;
    journal: Journal;
    dice: Dice;
    members: () => readonly SimNode[];
    recovered: (recovery: Recovery) => void;
  }) {
    this.#world = parts.world;
    this.#network = parts.network;
    this.#servers = parts.servers;
    this.#panel = parts.panel;
    this.#journal = parts.journal;
    this.#dice = parts.dice;
    this.#members = parts.members;
    this.#recovered = parts.recovered;
  }

  /** @returns false when it is too early: somebody has still to be bootstrapped */
  strike(): boolean {
    const used = this.#servers.nodes.filter(({ part }) => part === 'used');
    const holding = this.#members().filter((node) => used.includes(node) && endOf(node).index > 0);
    if (used.some(({ bootstrapped }) => !bootstrapped) || holding.length === 0) return false;
    for (const node of used) this.#servers.hold(node);
    // Who was removed may still be on its way down, with a disk that takes its time.
    for (const node of this.#servers.nodes) if (node.process !== null) this.#servers.switchOff(node);
    // Only now do the logs end for good: what was on its way to a disk may have got there.
    const left = this.#dice.shuffle(holding).slice(0, this.#dice.int(1, holding.length));
    const best = left.reduce((a, b) => (isBehind(endOf(a), endOf(b)) ? b : a));
    const end = endOf(best);
    // Logs that end elsewhere may contradict each other, and each would be taken as committed.
    const kept = left.filter((node) => endOf(node).index === end.index && endOf(node).term === end.term);
    this.#journal.note('oper', 'disaster', [end.index, end.term], () => `left: ${kept.map(({ id }) => id).join(' ')}`);
    this.#network.loseAll();
    for (const checker of this.#panel.checkers) checker.disaster?.();
    void this.#recover(kept, used);
    return true;
  }

  async #recover(kept: readonly SimNode[], used: readonly SimNode[]): Promise<void> {
    const servers = kept.map(({ id }) => ({ id, address: addressOf(id), suffrage: 'voter' as const }));
    const { entries } = kept[0]!.disk.platter;
    const before = { entries: [...entries], ...endOf(kept[0]!), configuration: { servers } };
    try {
      for (const node of kept) {
        const interruptMs = this.#dice.chance(0.3) ? this.#dice.between(0, INTERRUPT_MS) : Infinity;
        await node.recover(before.configuration, { index: before.index, term: before.term }, interruptMs);
        this.#journal.note(node.id, 'is recovered');
      }
    } catch (error) {
      this.#journal.note('oper', 'recovery refused', [], () => textOf(error));
      if (!(error instanceof RaftError) || error.code !== 'RAFT_STORE_CORRUPT') {
        this.#journal.report('safety', 'recovery of the cluster', `it fails: ${textOf(error)}`);
      }
      // Its log ends before what superseded its redacted entries, as it may: then the others must come back.
      for (const checker of this.#panel.checkers) checker.recovered?.(null);
      for (const node of used) this.#servers.release(node);
      return;
    }
    for (const node of used) if (!kept.includes(node)) this.#servers.switchOff(node);
    this.#recovered(before);
    for (const node of kept) this.#servers.release(node);
  }

  /** Strikes as soon as it can. */
  strikeLater(ms: number, mayStill: () => boolean): void {
    this.#world.schedule(ms, () => {
      if (mayStill() && !this.strike()) this.strikeLater(LATER_MS, mayStill);
    });
  }
}

function endOf({ disk: { platter } }: SimNode): { readonly index: LogIndex; readonly term: Term } {
  const last = platter.entryAt(platter.lastIndex);
  const snapshot = platter.snapshots[0]?.meta;
  if (snapshot !== undefined && snapshot.index >= (last?.index ?? 0)) {
    return { index: snapshot.index, term: snapshot.term };
  }
  return { index: last?.index ?? 0, term: last?.term ?? 0 };
}

function isBehind(a: { index: LogIndex; term: Term }, b: { index: LogIndex; term: Term }): boolean {
  return a.term < b.term || (a.term === b.term && a.index < b.index);
}
