import { crc32 } from 'node:zlib';
import type { InstallSnapshotRequest } from '../core/rpc.js';
import type { SnapshotMeta } from '../core/types.js';
import type { Logger } from '../ports/logger.js';
import type { SnapshotSink, SnapshotStore } from '../ports/snapshot-store.js';

/** What became of a chunk. */
export type ChunkResult =
  | { readonly kind: 'stored'; readonly nextOffset: number }
  | { readonly kind: 'refused'; readonly nextOffset: number }
  /** It was the last one, and the snapshot is durable. */
  | { readonly kind: 'complete'; readonly meta: SnapshotMeta };

/**
 * Gathers the chunks of one snapshot from one leader. A chunk that does not follow, or is corrupt, is answered with the
 * offset to go on from; another snapshot, or another leader, begins anew.
 */
export class SnapshotReceiver {
  readonly #store: SnapshotStore;
  readonly #logger: Logger;
  #key = '';
  #sink: SnapshotSink | null = null;
  /** The chunk that is being taken. */
  #running: Promise<ChunkResult> | null = null;

  constructor(store: SnapshotStore, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  /** Takes a chunk. A store that fails refuses it, and the snapshot begins anew. */
  receive(request: InstallSnapshotRequest): Promise<ChunkResult> {
    if (this.#running !== null) return Promise.resolve({ kind: 'refused', nextOffset: this.#sink?.size ?? 0 });
    this.#running = this.#takeOrRefuse(request).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** Drops what was received. */
  async cancel(): Promise<void> {
    const sink = this.#sink;
    this.#sink = null;
    this.#key = '';
    await sink?.cancel();
  }

  /** Resolves when the chunk under way is stored and what is not whole is dropped; when no more chunks come. */
  async idle(): Promise<void> {
    await this.#running?.catch(() => undefined);
    await this.cancel();
  }

  async #takeOrRefuse(request: InstallSnapshotRequest): Promise<ChunkResult> {
    try {
      return await this.#take(request);
    } catch (error) {
      this.#logger.warn('a chunk of a snapshot could not be stored', {
        from: request.header.id,
        offset: request.offset,
        error,
      });
      await this.cancel();
      return { kind: 'refused', nextOffset: 0 };
    }
  }

  async #take(request: InstallSnapshotRequest): Promise<ChunkResult> {
    const sink = await this.#sinkFor(request);
    if (request.offset !== sink.size) return { kind: 'stored', nextOffset: sink.size };
    const fits = sink.size + request.chunk.length <= request.size;
    if (!fits || crc32(request.chunk) !== request.crc) return { kind: 'refused', nextOffset: sink.size };
    await sink.write(request.chunk);
    if (sink.size < request.size) return { kind: 'stored', nextOffset: sink.size };
    this.#sink = null;
    this.#key = '';
    return { kind: 'complete', meta: await sink.close() };
  }

  async #sinkFor(request: InstallSnapshotRequest): Promise<SnapshotSink> {
    const key = JSON.stringify([
      request.header.id,
      request.term,
      request.lastLogIndex,
      request.lastLogTerm,
      request.size,
    ]);
    if (this.#sink !== null && this.#key === key) return this.#sink;
    await this.cancel();
    this.#sink = await this.#store.create({
      version: request.version,
      index: request.lastLogIndex,
      term: request.lastLogTerm,
      configuration: request.configuration,
      configurationIndex: request.configurationIndex,
    });
    this.#key = key;
    return this.#sink;
  }
}
