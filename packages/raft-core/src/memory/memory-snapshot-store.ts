import { RaftError } from '../core/errors.js';
import type { SnapshotMeta } from '../core/types.js';
import type { SnapshotSink, SnapshotSource, SnapshotStore } from '../ports/snapshot-store.js';

/** Snapshots in memory; keeps the newest few. */
export class MemorySnapshotStore implements SnapshotStore {
  readonly #retain: number;
  #snapshots: { readonly meta: SnapshotMeta; readonly bytes: Uint8Array }[] = [];
  #created = 0;

  /** @param retain how many complete snapshots to keep, at least 1 */
  constructor(retain = 2) {
    this.#retain = Math.max(1, retain);
  }

  list(): readonly SnapshotMeta[] {
    return this.#snapshots.map((snapshot) => snapshot.meta);
  }

  create(meta: Omit<SnapshotMeta, 'id' | 'size'>): SnapshotSink {
    const id = `${meta.term}-${meta.index}-${++this.#created}`;
    let chunks: Uint8Array[] = [];
    let size = 0;
    let open = true;
    return {
      id,
      get size() {
        return size;
      },
      write: (chunk) => {
        if (!open) throw new RaftError('RAFT_STORE_FAILED', `snapshot ${id} is closed`);
        chunks.push(chunk.slice());
        size += chunk.length;
      },
      close: () => {
        if (!open) throw new RaftError('RAFT_STORE_FAILED', `snapshot ${id} is closed`);
        open = false;
        const done: SnapshotMeta = { ...meta, id, size };
        this.#add(done, join(chunks, size));
        chunks = [];
        return done;
      },
      cancel: () => {
        open = false;
        chunks = [];
      },
    };
  }

  open(id: string): SnapshotSource {
    const snapshot = this.#snapshots.find(({ meta }) => meta.id === id);
    if (snapshot === undefined) throw new RaftError('RAFT_STORE_FAILED', `there is no snapshot ${id}`);
    return {
      meta: snapshot.meta,
      read: (offset, maxBytes) => snapshot.bytes.subarray(offset, offset + maxBytes),
      close() {},
    };
  }

  close(): void {}

  #add(meta: SnapshotMeta, bytes: Uint8Array): void {
    this.#snapshots.unshift({ meta, bytes });
    this.#snapshots.sort((a, b) => b.meta.index - a.meta.index || b.meta.term - a.meta.term);
    this.#snapshots.splice(this.#retain);
  }
}

function join(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
