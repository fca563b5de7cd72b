import type { SnapshotMeta } from '../core/types.js';
import type { MaybePromise } from './log-store.js';

/** Takes the bytes of one snapshot. Nothing of it can be read before `close`. */
export interface SnapshotSink {
  readonly id: string;
  /** Bytes written so far. */
  readonly size: number;
  write(chunk: Uint8Array): MaybePromise<void>;
  /** Makes the snapshot durable and visible, at once and whole. */
  close(): MaybePromise<SnapshotMeta>;
  /** Drops what was written; idempotent. */
  cancel(): MaybePromise<void>;
}

/** Reads the bytes of one snapshot. */
export interface SnapshotSource {
  readonly meta: SnapshotMeta;
  /** At most `maxBytes` from `offset`; empty at the end. @throws RaftError RAFT_STORE_CORRUPT */
  read(offset: number, maxBytes: number): MaybePromise<Uint8Array>;
  close(): MaybePromise<void>;
}

/** Where snapshots live. */
export interface SnapshotStore {
  /** Complete snapshots, newest first: by index, then by term, then by when they were closed. */
  list(): MaybePromise<readonly SnapshotMeta[]>;
  create(meta: Omit<SnapshotMeta, 'id' | 'size'>): MaybePromise<SnapshotSink>;
  /** @throws RaftError RAFT_STORE_FAILED when there is none with this id */
  open(id: string): MaybePromise<SnapshotSource>;
  close(): MaybePromise<void>;
}
