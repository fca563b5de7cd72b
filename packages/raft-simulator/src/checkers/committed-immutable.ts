import { EntryType, type LogIndex, type Term } from '@discovery-raft/raft-core';
import type { DiskWrite } from '../disk/platter.js';
import type { Sent } from '../network/sim-network.js';
import type { SimNode } from '../node/sim-node.js';
import type { Checker, Report } from './checker.js';
import type { CommittedLog } from './committed-log.js';
import { isTombstoneOf } from './log-matching.js';

/**
 * A committed entry stays on a majority of disks, or in their snapshots. The one change allowed is redaction (RAFT.md,
 * section 5): once a later entry that supersedes it is committed, a tombstone with its index, term and SHA-256 takes its
 * place; what was redacted somewhere comes back neither there nor in that server's messages.
 */
export class CommittedImmutable implements Checker {
  static readonly rule = 'committed entries immutable';
  /** Indexes that a server has redacted and still holds. */
  readonly #redacted = new Map<string, Set<LogIndex>>();
  /** Redactions of this turn; a node tells of a commit after it has carried out what follows from it. */
  #turn: { readonly node: SimNode; readonly index: LogIndex; readonly term: Term }[] = [];
  /** Between a disaster and the recovery everybody has only what is left. */
  #suspended = false;
  readonly #log: CommittedLog;
  readonly #report: Report;

  constructor(log: CommittedLog, report: Report) {
    this.#log = log;
    this.#report = report;
  }

  written(node: SimNode, write: DiskWrite): void {
    switch (write.kind) {
      case 'truncate':
        this.#forget(node, (index) => index >= write.from);
        return this.#removed(node, write.removed[0]?.index ?? Infinity);
      case 'reset':
        this.#forget(node, () => true);
        return this.#removed(node, write.removed[0]?.index ?? Infinity);
      case 'compact':
        this.#forget(node, (index) => index <= write.through);
        return this.#compacted(node, write.through);
      case 'redact':
        return this.#redact(node, write);
      case 'append':
        for (const { index, term, type } of write.entries) {
          if (type === EntryType.tombstone) this.#turn.push({ node, index, term });
        }
        return;
      default:
        return;
    }
  }

  sent({ from, message }: Sent): void {
    if (message.kind !== 'appendEntries') return;
    const redacted = this.#redacted.get(from);
    if (redacted === undefined) return;
    for (const { index, type } of message.entries) {
      if (type === EntryType.command && redacted.has(index)) {
        this.#report(`${from} sends entry ${index}, which it has redacted`);
      }
    }
  }

  #removed(node: SimNode, first: LogIndex): void {
    const last = this.#log.lastIndex;
    if (this.#suspended || first > last) return;
    const holders = this.#log.holders(last, this.#log.termAt(last)!);
    if (!this.#log.canKeep(holders)) {
      this.#report(
        `${node.id} removes the entries from ${first} on; of committed entry ${last} a minority is left: ` +
          `${holders.map(({ id }) => id).join(', ') || 'nobody'}`,
      );
    }
  }

  #compacted(node: SimNode, through: LogIndex): void {
    const covered = node.disk.platter.snapshots[0]?.meta.index ?? 0;
    if (through > covered) this.#report(`${node.id} compacts through ${through}, and its snapshot ends at ${covered}`);
  }

  #redact(node: SimNode, { tombstones, originals }: Extract<DiskWrite, { kind: 'redact' }>): void {
    const redacted = this.#redacted.get(node.id) ?? new Set();
    this.#redacted.set(node.id, redacted);
    tombstones.forEach((tombstone, i) => {
      const original = originals[i]!;
      const { index } = tombstone;
      redacted.add(index);
      if (tombstone.type !== EntryType.tombstone || tombstone.term !== original.term) {
        this.#report(`${node.id} redacts ${index} of term ${original.term} by something of term ${tombstone.term}`);
      } else if (original.type === EntryType.command && !isTombstoneOf(tombstone, original)) {
        this.#report(`${node.id} redacts ${index} by the tombstone of something else`);
      }
      this.#turn.push({ node, index, term: original.term });
    });
  }

  disaster(): void {
    this.#turn = [];
    this.#suspended = true;
  }

  recovered(): void {
    this.#turn = [];
    this.#suspended = false;
  }

  settled(): void {
    if (this.#turn.length === 0) return;
    const turn = this.#turn;
    this.#turn = [];
    for (const { node, index, term } of turn) {
      if (this.#log.termAt(index) !== term) {
        this.#report(`${node.id} stores a tombstone of (${index}, term ${term}), which is not committed`);
      } else if (!this.#log.supersededBy.has(index)) {
        this.#report(`${node.id} stores a tombstone of ${index}, which no committed entry supersedes`);
      }
    }
  }

  #forget(node: SimNode, gone: (index: LogIndex) => boolean): void {
    const redacted = this.#redacted.get(node.id);
    if (redacted === undefined) return;
    for (const index of redacted) if (gone(index)) redacted.delete(index);
  }
}
