import {
  EntryType,
  type Configuration,
  type ConfigurationAt,
  type LogEntry,
  type LogIndex,
  type ServerId,
  type SnapshotMeta,
  type Term,
} from '@discovery-raft/raft-core';
import type { DiskWrite } from '../disk/platter.js';
import type { Incarnation, SimNode } from '../node/sim-node.js';
import type { Checker } from './checker.js';

/** A configuration and the entry that holds it; index and term are 0 for the one before every entry. */
export interface Held extends ConfigurationAt {
  readonly term: Term;
}

const NOTHING: Held = { index: 0, term: 0, configuration: { servers: [] } };

/** Which configurations are on which disk. Breaks no rule itself; the checkers that count quorums ask it. */
export class Configurations implements Checker {
  /** Oldest first; the first may be one that a snapshot brought. */
  readonly #onDisk = new Map<SimNode, Held[]>();
  /** Descriptions of the snapshots that were ever on a disk, by their index: of several the one that counts. */
  readonly #snapshots = new Map<SimNode, Map<LogIndex, SnapshotMeta>>();
  readonly #told = new WeakMap<Incarnation, ConfigurationAt[]>();

  /** The newest configuration in the log or the snapshot on a server's disk. */
  newestOf(node: SimNode): Held {
    return this.#onDisk.get(node)?.at(-1) ?? NOTHING;
  }

  /** Everybody whom the newest configuration on a server's disk names. */
  namesOn(node: SimNode): ServerId[] {
    const { servers, outgoing = [] } = this.newestOf(node).configuration;
    return [...servers, ...outgoing].map(({ id }) => id);
  }

  /** The one that came before `held` on this disk; null when that is not known any more. */
  before(node: SimNode, held: Held): Held | null {
    return this.#onDisk.get(node)?.findLast(({ index }) => index < held.index) ?? null;
  }

  /**
   * By which configurations a leader may have counted when it committed `index`: the newest that it had appended then,
   * on its disk or on its way there; or the one before, when it appended the newest because of this very commit.
   */
  countedBy(leader: SimNode, index: LogIndex): Configuration[] {
    const disk = this.#onDisk.get(leader) ?? [];
    const stored = this.newestOf(leader).index;
    const told = (leader.process === null ? undefined : this.#told.get(leader.process)) ?? [];
    const items: ConfigurationAt[] = [...disk, ...told.filter((item) => item.index > stored)];
    return items
      .slice(-2)
      .filter((_, i, { length }) => i === length - 1 || items.at(-1)!.index > index)
      .map(({ configuration }) => configuration);
  }

  written(node: SimNode, write: DiskWrite): void {
    const items = this.#onDisk.get(node) ?? [];
    this.#onDisk.set(node, items);
    switch (write.kind) {
      case 'append':
        for (const entry of write.entries) if (entry.type === EntryType.configuration) items.push(heldBy(entry));
        return;
      case 'truncate':
        while (items.length > 0 && items.at(-1)!.index >= write.from) items.pop();
        return;
      case 'reset': {
        // Newer ones may have taken its place on the disk, while the reset was on its way.
        const snapshot = this.#snapshots.get(node)?.get(write.nextIndex - 1);
        items.length = 0;
        if (snapshot === undefined) return;
        const { configurationIndex, configuration } = snapshot;
        items.push({ index: configurationIndex, term: 0, configuration });
        return;
      }
      case 'snapshot': {
        const { meta } = write;
        const stored = this.#snapshots.get(node) ?? new Map<LogIndex, SnapshotMeta>();
        this.#snapshots.set(node, stored);
        if ((stored.get(meta.index)?.term ?? 0) <= meta.term) stored.set(meta.index, meta);
        return;
      }
      default:
        return;
    }
  }

  configurationTaken(node: SimNode, configuration: ConfigurationAt): void {
    const { process } = node;
    if (process === null) return;
    const told = this.#told.get(process) ?? [];
    this.#told.set(process, told);
    while (told.length > 0 && told.at(-1)!.index >= configuration.index) told.pop();
    told.push(configuration);
  }
}

/** The configuration that an entry holds. */
export function heldBy(entry: LogEntry): Held {
  const text = Buffer.from(entry.data.buffer, entry.data.byteOffset, entry.data.length).toString('utf8');
  return { index: entry.index, term: entry.term, configuration: JSON.parse(text) as Configuration };
}
