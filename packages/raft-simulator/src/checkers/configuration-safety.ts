import { EntryType, type ServerId, type SnapshotMeta, type Term } from '@discovery-raft/raft-core';
import type { DiskWrite } from '../disk/platter.js';
import type { Sent } from '../network/sim-network.js';
import type { Recovery } from '../node/disaster.js';
import type { SimNode } from '../node/sim-node.js';
import type { Checker, Cluster, Report } from './checker.js';
import type { CommittedLog } from './committed-log.js';
import { heldBy, type Configurations, type Held } from './configurations.js';
import { describeConfiguration, disjointQuorums, hasVote, isQuorum, sameConfiguration, whyNoStep } from './quorum.js';

/**
 * The membership changes safely (Raft paper, section 6; Raft thesis, sections 4.1 to 4.3, and the correction of 2015;
 * RAFT.md, section 4, rule 9): one uncommitted configuration at a time, after an entry of the leader's own term; each a
 * step of one vote or through a joint one; quorums of committed neighbours meet; who leads is a voter, elected by a
 * quorum; a configuration counts from when it is in the log until it is taken away.
 */
export class ConfigurationSafety implements Checker {
  static readonly rule = 'configuration safety';
  /** Entries that were seen on a disk, by index and term. */
  readonly #seen = new Set<string>();
  /** Seen in this turn; a node tells of a commit after it has carried out what follows from it. */
  #turn: { readonly node: SimNode; readonly held: Held; readonly before: Held | null }[] = [];
  #snapshots: { readonly node: SimNode; readonly meta: SnapshotMeta }[] = [];
  /** All that are committed, oldest first. */
  readonly #committed: Held[] = [];
  #looked = 0;
  readonly #votes = new Map<Term, Map<ServerId, Set<ServerId>>>();
  readonly #cluster: Cluster;
  readonly #log: CommittedLog;
  readonly #configurations: Configurations;
  readonly #report: Report;

  constructor(cluster: Cluster, log: CommittedLog, configurations: Configurations, report: Report) {
    this.#cluster = cluster;
    this.#log = log;
    this.#configurations = configurations;
    this.#report = report;
  }

  written(node: SimNode, write: DiskWrite): void {
    if (write.kind === 'snapshot') this.#snapshots.push({ node, meta: write.meta });
    if (write.kind !== 'append') return;
    for (const entry of write.entries) {
      if (entry.type !== EntryType.configuration) continue;
      const key = `${entry.index}.${entry.term}`;
      if (this.#seen.has(key)) continue;
      this.#seen.add(key);
      const held = heldBy(entry);
      this.#turn.push({ node, held, before: this.#configurations.before(node, held) });
    }
  }

  sent({ from, to, message }: Sent): void {
    if (message.kind !== 'requestVoteResponse' || !message.granted) return;
    const candidates = this.#votes.get(message.term) ?? new Map<ServerId, Set<ServerId>>();
    this.#votes.set(message.term, candidates);
    const voters = candidates.get(to) ?? new Set();
    candidates.set(to, voters.add(from));
  }

  roleChanged(node: SimNode): void {
    const { role, roleTerm } = node.process!;
    if (role !== 'leader') return;
    const held = this.#configurations.newestOf(node);
    const { configuration } = held;
    const members = describeConfiguration(configuration);
    // Who is on the way out may lead until it knows that this is committed (Raft thesis, section 4.2.2).
    const before = node.raft!.commitIndex >= held.index ? null : this.#configurations.before(node, held);
    if (![held, before].some((at) => at !== null && hasVote(at.configuration, node.id))) {
      return this.#report(`${node.id} leads term ${roleTerm}, and is no voter of ${members}`);
    }
    const voters = new Set(this.#votes.get(roleTerm)?.get(node.id)).add(node.id);
    if (!isQuorum(configuration, voters)) {
      this.#report(
        `${node.id} leads term ${roleTerm} by the votes of ${[...voters].join(' ')}, no quorum of ${members}`,
      );
    }
  }

  settled(node: SimNode): void {
    for (; this.#looked < this.#log.lastIndex; this.#looked++) {
      const entry = this.#log.entryAt(this.#looked + 1)!;
      if (entry.type === EntryType.configuration) this.#follow(heldBy(entry));
    }
    if (this.#turn.length > 0) {
      const turn = this.#turn;
      this.#turn = [];
      for (const { node: by, held, before } of turn) this.#appended(by, held, before);
    }
    if (this.#snapshots.length > 0) {
      const snapshots = this.#snapshots;
      this.#snapshots = [];
      for (const { node: by, meta } of snapshots) this.#snapshotted(by, meta);
    }
    this.#usesNewest(node);
    this.#steppedDown(node);
  }

  recovered(recovery: Recovery | null): void {
    this.#turn = [];
    this.#snapshots = [];
    if (recovery === null) return;
    this.#votes.clear();
    this.#seen.clear();
    this.#committed.length = 0;
    this.#committed.push({ index: recovery.index, term: recovery.term, configuration: recovery.configuration });
    this.#looked = recovery.index;
  }

  finished(): void {
    const last = this.#committed.at(-1);
    if (last === undefined) return;
    for (const { id } of last.configuration.servers) {
      const node = this.#cluster.node(id);
      const held = this.#configurations.newestOf(node);
      if (node.ruined) continue;
      if (held.index === last.index && sameConfiguration(held.configuration, last.configuration)) continue;
      this.#report(`${id} ends with configuration ${held.index}; ${last.index} is committed`);
    }
  }

  /** A configuration was committed. */
  #follow(held: Held): void {
    const before = this.#committed.at(-1);
    this.#committed.push(held);
    if (before === undefined) return;
    const step = `${describeConfiguration(before.configuration)} is followed by ${describeConfiguration(held.configuration)}`;
    const why = whyNoStep(before.configuration, held.configuration);
    if (why !== null) return this.#report(`${step} at ${held.index}: ${why}`);
    const apart = disjointQuorums(before.configuration, held.configuration);
    if (apart === null) return;
    this.#report(`${step}, and ${apart[0].join(' ')} can decide without ${apart[1].join(' ')}`);
  }

  /** A configuration is on a disk for the first time. */
  #appended(node: SimNode, held: Held, before: Held | null): void {
    if (before === null || before.index === 0) return;
    const what = `configuration ${held.index} of term ${held.term}`;
    if (before.term > 0 && this.#log.termAt(before.index) !== before.term) {
      return this.#report(
        `${what} is appended (${node.id}) while ${before.index} of term ${before.term} is not committed`,
      );
    }
    const why = whyNoStep(before.configuration, held.configuration);
    if (why !== null) return this.#report(`${what} (${node.id}): ${why}`);
    for (let index = held.index - 1; this.#log.termAt(index) !== held.term; index--) {
      if (index > before.index) continue;
      return this.#report(`${what} is appended (${node.id}) before an entry of that term is committed`);
    }
  }

  /** A snapshot carries the configuration of the entry that it ends with. */
  #snapshotted({ id }: SimNode, { index, configurationIndex, configuration }: SnapshotMeta): void {
    const held = this.#committed.findLast((item) => item.index <= index);
    if (held?.index === configurationIndex && sameConfiguration(held.configuration, configuration)) return;
    this.#report(`${id} has a snapshot of ${index} with configuration ${configurationIndex}, not ${held?.index ?? 0}`);
  }

  /** What a server takes for the configuration is the newest in its log. */
  #usesNewest(node: SimNode): void {
    const { running } = node;
    if (running === null) return;
    const { process, raft } = running;
    const { platter } = node.disk;
    if (raft.state === 'shutdown' || process.excused || process.session.busy || platter.lastIndex !== raft.lastIndex)
      return;
    const used = raft.getConfiguration();
    const held = this.#configurations.newestOf(node);
    if (used.index === held.index) return;
    this.#report(`${node.id} goes by configuration ${used.index}, and the newest in its log is ${held.index}`);
  }

  /** A leader that is no voter any more leads until that is committed, and no longer. */
  #steppedDown(node: SimNode): void {
    const { raft } = node;
    if (raft === null || raft.state !== 'leader') return;
    const { index, configuration } = raft.getConfiguration();
    if (index > raft.commitIndex || hasVote(configuration, node.id)) return;
    this.#report(`${node.id} leads on, and is no voter of the committed configuration ${index}`);
  }
}
