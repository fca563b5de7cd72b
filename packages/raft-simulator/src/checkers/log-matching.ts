import { createHash } from 'node:crypto';
import { EntryType, type LogEntry, type LogIndex, type Term } from '@discovery-raft/raft-core';
import type { DiskWrite } from '../disk/platter.js';
import type { Sent } from '../network/sim-network.js';
import type { Recovery } from '../node/disaster.js';
import type { SimNode } from '../node/sim-node.js';
import type { Checker, Report } from './checker.js';

interface Known {
  entry: LogEntry;
  readonly prevTerm: Term | undefined;
}

/**
 * Two entries of one index and term are the same, and so are all before them (Raft paper, section 5.3): for each index
 * and term there is one content and one term of the entry before, over all disks and messages of a simulation.
 */
export class LogMatching implements Checker {
  static readonly rule = 'log matching';
  readonly #known = new Map<number, Known>();
  readonly #seen = new WeakSet<readonly LogEntry[]>();
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  /** The entry of this index and term, as it was before any redaction if that was ever seen. */
  original(index: LogIndex, term: Term): LogEntry | undefined {
    return this.#known.get(keyOf(index, term))?.entry;
  }

  sent({ from, message }: Sent): void {
    if (message.kind !== 'appendEntries' || message.entries.length === 0 || this.#seen.has(message.entries)) return;
    this.#seen.add(message.entries);
    this.#check(`${from} sends`, message.entries, message.prevLogTerm);
  }

  written(node: SimNode, write: DiskWrite): void {
    if (write.kind === 'append') this.#check(`${node.id} stores`, write.entries, write.prevTerm);
  }

  recovered(recovery: Recovery | null): void {
    // What was lost may be written anew, with the same index and term.
    if (recovery !== null) this.#known.clear();
  }

  #check(who: string, entries: readonly LogEntry[], prevTerm: Term | undefined): void {
    let before = prevTerm;
    for (const entry of entries) {
      const what = `${who} (${entry.index}, term ${entry.term})`;
      const key = keyOf(entry.index, entry.term);
      const known = this.#known.get(key);
      if (before !== undefined && before > entry.term) {
        this.#report(`${what} after an entry of term ${before}`);
      }
      if (known === undefined) {
        this.#known.set(key, { entry, prevTerm: before });
      } else {
        if (before !== undefined && known.prevTerm !== undefined && before !== known.prevTerm) {
          this.#report(
            `${what} after an entry of term ${before}; elsewhere one of term ${known.prevTerm} is before it`,
          );
        }
        if (!sameContent(known.entry, entry)) this.#report(`${what} with another content than elsewhere`);
        if (known.entry.type === EntryType.tombstone) known.entry = entry;
      }
      before = entry.term;
    }
  }
}

function keyOf(index: LogIndex, term: Term): number {
  return index * 1_000_000 + term;
}

/** Whether two entries are the same, or one is the other's tombstone. */
export function sameContent(a: LogEntry, b: LogEntry): boolean {
  if (a === b) return true;
  if (a.type === b.type) return Buffer.compare(a.data, b.data) === 0;
  if (a.type === EntryType.tombstone) return isTombstoneOf(a, b);
  return b.type === EntryType.tombstone && isTombstoneOf(b, a);
}

/** Hashes of entries that were redacted; entries never change. */
const hashes = new WeakMap<LogEntry, Buffer>();

/** Whether `tombstone` stands in the place of `original`. */
export function isTombstoneOf(tombstone: LogEntry, original: LogEntry): boolean {
  const hash = hashes.get(original) ?? createHash('sha256').update(original.data).digest();
  hashes.set(original, hash);
  return Buffer.compare(tombstone.data, hash) === 0;
}
