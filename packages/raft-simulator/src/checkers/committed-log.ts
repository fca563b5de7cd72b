import type { Configuration, LogEntry, LogIndex, ServerId, SnapshotMeta, Term } from '@discovery-raft/raft-core';
import { EntryType } from '@discovery-raft/raft-core';
import { decodeCommand, Registers } from '../node/register-machine.js';
import type { Recovery } from '../node/disaster.js';
import type { DiskWrite } from '../disk/platter.js';
import type { SimNode } from '../node/sim-node.js';
import type { Checker, Cluster, Report } from './checker.js';
import { heldBy, type Configurations } from './configurations.js';
import type { LogMatching } from './log-matching.js';
import { describeConfiguration, isQuorum } from './quorum.js';

/** What became of a user's restore. */
export interface RestoreSeen {
  meta: SnapshotMeta | null;
  committed: boolean;
}

/**
 * What is committed, found out by looking at disks: when a leader says that an entry is committed, a quorum must hold
 * it durably, and the entry must be of the leader's own term (Raft paper, sections 5.3 and 5.4.2). The other checkers
 * take this log as the truth. A follower may only repeat what a leader has established.
 */
export class CommittedLog implements Checker {
  static readonly rule = 'commit rule';
  /** Entry i at place i - 1, as it was when it was committed. */
  readonly #entries: LogEntry[] = [];
  /** Term of the leader that committed entry i, at place i - 1. */
  readonly #committedIn: Term[] = [];
  /** State digest after entry i at place i. */
  readonly #digests: number[] = [0];
  /** Index of a superseded entry to that of its successor. */
  readonly supersededBy = new Map<LogIndex, LogIndex>();
  /** The newest configuration that is committed. */
  configuration: Configuration = { servers: [] };
  #configurationIndex: LogIndex = 0;
  readonly #configurationIndexes: LogIndex[] = [];
  /** Servers of a history that a disaster has ended: their disks may hold other entries of the same index and term. */
  #lost: ReadonlySet<SimNode> = new Set();
  /** Users' restores by their content. */
  readonly #restores = new Map<string, RestoreSeen>();
  #registers = new Registers();
  /** State machine's responses by index. */
  readonly #previous = new Map<LogIndex, string | null>();
  readonly #cluster: Cluster;
  readonly #configurations: Configurations;
  readonly #seen: LogMatching;
  readonly #report: Report;

  /**
   * @param configurations tells who counts
   * @param seen tells what stood in the place of a tombstone
   */
  constructor(cluster: Cluster, configurations: Configurations, seen: LogMatching, report: Report) {
    this.#cluster = cluster;
    this.#configurations = configurations;
    this.#seen = seen;
    this.#report = report;
  }

  get lastIndex(): LogIndex {
    return this.#entries.length;
  }

  entryAt(index: LogIndex): LogEntry | undefined {
    return this.#entries[index - 1];
  }

  termAt(index: LogIndex): Term | undefined {
    return this.#entries[index - 1]?.term;
  }

  /** Term of the leader that committed the entry. */
  committedIn(index: LogIndex): Term | undefined {
    return this.#committedIn[index - 1];
  }

  /** What a state machine's digest must be when it has applied everything up to `index`. */
  digestAt(index: LogIndex): number | undefined {
    return this.#digests[index];
  }

  /** What the registers hold after the last entry. */
  get registers(): Registers {
    return this.#registers;
  }

  /** What the command at `index` must have answered. */
  previousAt(index: LogIndex): string | null | undefined {
    return this.#previous.get(index);
  }

  /** Servers whose disks hold the entry, or a snapshot that covers it. */
  holders(index: LogIndex, term: Term): SimNode[] {
    return this.#cluster.nodes.filter((node) => {
      const { platter } = node.disk;
      if (this.#lost.has(node)) return false;
      if ((platter.snapshots[0]?.meta.index ?? 0) >= index) return true;
      return platter.termAt(index) === term;
    });
  }

  /** Whether these are a quorum of the newest committed configuration, or of one that is on its way to be. */
  canKeep(nodes: readonly SimNode[]): boolean {
    const ids = idsOf(nodes);
    if (isQuorum(this.configuration, ids)) return true;
    return this.#cluster.nodes.some((node) => {
      const { index, configuration } = this.#configurations.newestOf(node);
      return index > this.#configurationIndex && isQuorum(configuration, ids);
    });
  }

  committed(node: SimNode, index: LogIndex): void {
    if (index <= this.lastIndex) return;
    const { process } = node;
    if (process === null) return;
    // Restored here; it counts once an entry behind it does.
    if (this.#restores.size > 0 && node.disk.platter.snapshots[0]?.meta.index === index && this.isAstray(node)) return;
    if (process.role !== 'leader') {
      return this.#report(
        `${node.id}, a ${process.role}, takes ${index} for committed; leaders have committed ${this.lastIndex}`,
      );
    }
    const term = process.roleTerm;
    const holders = this.holders(index, term).filter((holder) => holder.disk.platter.termAt(index) === term);
    const ids = idsOf(holders);
    const configurations = this.#configurations.countedBy(node, index);
    if (!configurations.some((configuration) => isQuorum(configuration, ids))) {
      const held = this.#cluster.nodes.map(({ id, disk }) => `${id}: ${disk.platter.termAt(index) ?? '-'}`).join(', ');
      const members = configurations.map(describeConfiguration).join(' or ');
      return this.#report(
        `${node.id} commits ${index} in term ${term}, but no majority of ${members} holds an entry of that term there (${held})`,
      );
    }
    if (this.#restores.size > 0) this.#addRestore(holders, index);
    while (this.lastIndex < index) {
      const next = this.lastIndex + 1;
      const entry = holders.map(({ disk }) => disk.platter.entryAt(next)).find((found) => found !== undefined);
      if (entry === undefined)
        return this.#report(`no disk that holds ${index} of term ${term} holds ${next} before it`);
      this.#add(this.#seen.original(entry.index, entry.term) ?? entry, term);
    }
  }

  /** A user's restore was begun: a snapshot of this content is not one of the log's state, but takes its place. */
  restoreBegun(text: string): void {
    this.#restores.set(text, { meta: null, committed: false });
  }

  /** What became of a restore: where its snapshot stands, null while no disk holds it, and whether that is committed. */
  restoreOf(text: string): RestoreSeen {
    return this.#restores.get(text)!;
  }

  /** Whether a state that holds this value was restored for good. */
  hasRestored(value: string): boolean {
    for (const [text, { committed }] of this.#restores) if (committed && text.includes(`"${value}"`)) return true;
    return false;
  }

  /**
   * Whether a server has begun anew from a restored state that is not committed, and may never be; also while it shows that
   * state, and a newer snapshot is on its disk already.
   */
  isAstray(node: SimNode): boolean {
    if (this.#restores.size === 0) return false;
    const { snapshots } = node.disk.platter;
    const applied = node.raft?.appliedIndex ?? Infinity;
    const shown = snapshots.find(({ meta }) => meta.index <= applied);
    return [snapshots[0], shown].some((at) => at !== undefined && this.#restoreAt(at.meta)?.committed === false);
  }

  #restoreAt({ index, term }: Pick<SnapshotMeta, 'index' | 'term'>): RestoreSeen | undefined {
    for (const seen of this.#restores.values()) {
      if (seen.meta?.index === index && seen.meta.term === term) return seen;
    }
    return undefined;
  }

  written(node: SimNode, write: DiskWrite): void {
    if (write.kind !== 'snapshot' || this.#restores.size === 0) return;
    const { id } = write.meta;
    const stored = node.disk.platter.snapshots.find(({ meta }) => meta.id === id);
    if (stored === undefined) return;
    const seen = this.#restores.get(Buffer.from(stored.bytes).toString('latin1'));
    // Later snapshots may hold the same state, when nothing was written since.
    if (seen !== undefined) seen.meta ??= write.meta;
  }

  /** Index of the newest configuration before `index`. */
  configurationBefore(index: LogIndex): LogIndex {
    return this.#configurationIndexes.findLast((at) => at < index) ?? 0;
  }

  /**
   * The log is from now on what the servers that are left had, whether it was committed or not. Before the first entry that
   * they hold is their snapshot, hence what was committed.
   */
  recovered(recovery: Recovery | null): void {
    if (recovery === null) return;
    this.#lost = new Set(this.#cluster.nodes.filter(({ part }) => part === 'gone'));
    const { entries, index, configuration } = recovery;
    const [old, terms] = [this.#entries.splice(0), this.#committedIn.splice(0)];
    const first = entries[0]?.index ?? index + 1;
    this.#registers = new Registers();
    this.#digests.length = 1;
    this.#configurationIndexes.length = 0;
    this.supersededBy.clear();
    this.#previous.clear();
    for (let i = 1; i <= index; i++) {
      const held = i < first ? undefined : entries[i - first];
      const was = old[i - 1];
      const stays = was !== undefined && (held === undefined || held.term === was.term);
      const entry = stays ? was : held;
      if (entry === undefined) return this.#report(`a snapshot covers ${i}, which was not committed`);
      this.#add(
        stays ? entry : (this.#seen.original(entry.index, entry.term) ?? entry),
        stays ? terms[i - 1]! : entry.term,
      );
    }
    this.configuration = configuration;
    this.#configurationIndex = index;
    this.#configurationIndexes.push(index);
  }

  /** The entries up to `index` that are committed now stand behind a restored state. */
  #addRestore(holders: readonly SimNode[], index: LogIndex): void {
    for (const [text, seen] of this.#restores) {
      const { meta, committed } = seen;
      if (meta === null || committed || meta.index <= this.lastIndex || meta.index >= index) continue;
      // The log goes on behind it, so no disk that holds the log holds what was before.
      const onTop = holders.some(({ disk: { platter } }) => {
        const { firstIndex, snapshots } = platter;
        return (
          firstIndex > meta.index &&
          snapshots.some((own) => own.meta.index === meta.index && own.meta.term === meta.term)
        );
      });
      if (!onTop) continue;
      while (this.lastIndex < meta.index) {
        this.#add(
          { index: this.lastIndex + 1, term: meta.term, type: EntryType.noop, data: new Uint8Array(0) },
          meta.term,
        );
      }
      seen.committed = true;
      this.#registers = Registers.fromText(text);
      this.#digests[meta.index] = this.#registers.digest;
    }
  }

  #add(entry: LogEntry, committedIn: Term): void {
    this.#entries.push(entry);
    this.#committedIn.push(committedIn);
    if (entry.type === EntryType.configuration) {
      this.#configurationIndex = entry.index;
      this.#configurationIndexes.push(entry.index);
      this.configuration = heldBy(entry).configuration;
    }
    if (entry.type === EntryType.command) {
      const before = this.#registers.set(entry.index, decodeCommand(entry.data));
      if (before !== undefined) this.supersededBy.set(before.index, entry.index);
      this.#previous.set(entry.index, before?.value ?? null);
    }
    this.#digests.push(this.#registers.digest);
  }
}

function idsOf(nodes: readonly SimNode[]): Set<ServerId> {
  return new Set(nodes.map(({ id }) => id));
}
