import { DEFAULT_RAFT_CONFIG, entrySize, type RaftConfig } from '@discovery-raft/raft-core';
import type { Sent } from '../network/sim-network.js';
import type { Checker, Report } from './checker.js';

/** Messages keep to the limits in bytes and entries (RAFT.md, section 4, rule 7); one entry always fits. */
export class Bounds implements Checker {
  static readonly rule = 'bounds';
  readonly #config: RaftConfig;
  readonly #report: Report;

  constructor(config: Partial<RaftConfig>, report: Report) {
    this.#config = { ...DEFAULT_RAFT_CONFIG, ...config };
    this.#report = report;
  }

  sent({ from, message }: Sent): void {
    const { maxAppendEntries, maxAppendBytes, snapshotChunkBytes } = this.#config;
    if (message.kind === 'installSnapshot' && message.chunk.length > snapshotChunkBytes) {
      this.#report(`${from} sends a chunk of ${message.chunk.length} bytes; ${snapshotChunkBytes} are allowed`);
    }
    if (message.kind !== 'appendEntries' || message.entries.length < 2) return;
    const { entries } = message;
    if (entries.length > maxAppendEntries) {
      this.#report(`${from} sends ${entries.length} entries at once; ${maxAppendEntries} are allowed`);
    }
    let bytes = 0;
    for (const entry of entries) bytes += entrySize(entry);
    if (bytes > maxAppendBytes) this.#report(`${from} sends ${bytes} bytes at once; ${maxAppendBytes} are allowed`);
  }
}
