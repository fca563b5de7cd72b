import {
  RaftError,
  entrySize,
  type HardState,
  type LogEntry,
  type LogIndex,
  type LogStore,
  type MaybePromise,
  type SnapshotMeta,
  type SnapshotSink,
  type SnapshotSource,
  type SnapshotStore,
  type StableStore,
} from '@discovery-raft/raft-core';
import type { Dice } from '../scenario/dice.js';
import type { DiskSession } from './sim-disk.js';

/** The log on a simulated disk. */
export class SimLogStore implements LogStore {
  readonly #disk: DiskSession;

  constructor(disk: DiskSession) {
    this.#disk = disk;
  }

  get firstIndex(): LogIndex {
    return this.#disk.platter.firstIndex;
  }

  get lastIndex(): LogIndex {
    return this.#disk.platter.lastIndex;
  }

  read(from: LogIndex, to: LogIndex, maxBytes: number): MaybePromise<readonly LogEntry[]> {
    return this.#disk.read('log', () => {
      const { platter } = this.#disk;
      if (from < platter.firstIndex || to > platter.lastIndex || from > to) {
        throw new RaftError(
          'RAFT_STORE_FAILED',
          `${from}..${to} is outside ${platter.firstIndex}..${platter.lastIndex}`,
        );
      }
      const result: LogEntry[] = [];
      let bytes = 0;
      for (let index = from; index <= to; index++) {
        const entry = platter.entryAt(index)!;
        bytes += entrySize(entry);
        if (bytes > maxBytes && result.length > 0) break;
        result.push(entry);
      }
      return result;
    });
  }

  append(entries: readonly LogEntry[]): MaybePromise<void> {
    return this.appendAndRedact(entries, []);
  }

  /** A crash leaves a part: some of the entries, or all of them and some of the tombstones. */
  appendAndRedact(entries: readonly LogEntry[], tombstones: readonly LogEntry[]): MaybePromise<void> {
    const { platter } = this.#disk;
    const kept = [...entries];
    kept.forEach((entry, i) => {
      if (entry.index === platter.lastIndex + 1 + i) return;
      const what = `entry ${entry.index} is appended where ${platter.lastIndex + 1 + i} belongs`;
      this.#disk.misused(what);
      throw new RaftError('RAFT_STORE_FAILED', what);
    });
    return this.#disk.write('log', (part) => {
      const done = Math.floor(part * (kept.length + tombstones.length));
      platter.append(kept.slice(0, done));
      if (done > kept.length) platter.redact(tombstones.slice(0, done - kept.length));
    });
  }

  truncateSuffix(from: LogIndex): MaybePromise<void> {
    return this.#whole(() => this.#disk.platter.truncate(from));
  }

  truncatePrefix(through: LogIndex): MaybePromise<void> {
    return this.#whole(() => this.#disk.platter.compact(through));
  }

  reset(nextIndex: LogIndex): MaybePromise<void> {
    return this.#whole(() => this.#disk.platter.reset(nextIndex));
  }

  redact(tombstones: readonly LogEntry[]): MaybePromise<void> {
    return this.#disk.write('log', (part) => {
      this.#disk.platter.redact(tombstones.slice(0, Math.floor(part * tombstones.length)));
    });
  }

  close(): void {}

  /** A write that happens wholly or not at all. */
  #whole(perform: () => void): MaybePromise<void> {
    return this.#disk.write('log', (part) => {
      if (part >= 0.5) perform();
    });
  }
}

/** Term and vote on a simulated disk. */
export class SimStableStore implements StableStore {
  readonly #disk: DiskSession;

  constructor(disk: DiskSession) {
    this.#disk = disk;
  }

  load(): MaybePromise<HardState | null> {
    return this.#disk.read('stable', () => this.#disk.platter.hardState);
  }

  save(state: HardState): MaybePromise<void> {
    return this.#disk.write('stable', (part) => {
      if (part >= 0.5) this.#disk.platter.save(state);
    });
  }

  close(): void {}
}

/** Snapshots on a simulated disk. */
export class SimSnapshotStore implements SnapshotStore {
  readonly #disk: DiskSession;
  readonly #dice: Dice;

  /** @param dice make ids that no two incarnations share */
  constructor(disk: DiskSession, dice: Dice) {
    this.#disk = disk;
    this.#dice = dice;
  }

  list(): MaybePromise<readonly SnapshotMeta[]> {
    return this.#disk.read('snapshot', () => this.#disk.platter.snapshots.map(({ meta }) => meta));
  }

  create(meta: Omit<SnapshotMeta, 'id' | 'size'>): MaybePromise<SnapshotSink> {
    const id = `${meta.term}-${meta.index}-${this.#dice.int(0, 0xffffff).toString(36)}`;
    return new SimSnapshotSink(this.#disk, id, meta);
  }

  open(id: string): MaybePromise<SnapshotSource> {
    return this.#disk.read('snapshot', () => {
      const snapshot = this.#disk.platter.snapshots.find(({ meta }) => meta.id === id);
      if (snapshot === undefined) throw new RaftError('RAFT_STORE_FAILED', `there is no snapshot ${id}`);
      return {
        meta: snapshot.meta,
        read: (offset, maxBytes) =>
          this.#disk.read('snapshot', () => snapshot.bytes.subarray(offset, offset + maxBytes)),
        close() {},
      };
    });
  }

  close(): void {}
}

class SimSnapshotSink implements SnapshotSink {
  readonly id: string;
  readonly #disk: DiskSession;
  readonly #meta: Omit<SnapshotMeta, 'id' | 'size'>;
  readonly #chunks: Uint8Array[] = [];
  #size = 0;
  #open = true;

  constructor(disk: DiskSession, id: string, meta: Omit<SnapshotMeta, 'id' | 'size'>) {
    this.id = id;
    this.#disk = disk;
    this.#meta = meta;
  }

  get size(): number {
    return this.#size;
  }

  write(chunk: Uint8Array): MaybePromise<void> {
    if (!this.#open) throw new RaftError('RAFT_STORE_FAILED', `snapshot ${this.id} is closed`);
    const copy = chunk.slice();
    return this.#disk.write('snapshot', (part) => {
      if (part < 1) return;
      this.#chunks.push(copy);
      this.#size += copy.length;
    });
  }

  async close(): Promise<SnapshotMeta> {
    if (!this.#open) throw new RaftError('RAFT_STORE_FAILED', `snapshot ${this.id} is closed`);
    this.#open = false;
    const meta: SnapshotMeta = { ...this.#meta, id: this.id, size: this.#size };
    await this.#disk.write('snapshot', (part) => {
      if (part >= 0.5) this.#disk.platter.addSnapshot({ meta, bytes: Buffer.concat(this.#chunks) });
    });
    return meta;
  }

  cancel(): void {
    this.#open = false;
  }
}
