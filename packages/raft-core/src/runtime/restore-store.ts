import type { RaftError } from '../core/errors.js';
import type { SnapshotMeta } from '../core/types.js';
import type { MaybePromise } from '../ports/log-store.js';
import type { SnapshotSink, SnapshotStore } from '../ports/snapshot-store.js';
import { isPending } from './maybe-promise.js';
import { storeCall } from './store-call.js';

/**
 * The snapshot store as users' restores see it. Their bytes may never come to an end, so nobody can wait for a restore; but
 * once the node has stopped none begins anything here, and what is under way can be waited for.
 */
export class RestoreStore {
  readonly #store: SnapshotStore;
  readonly #underWay = new Set<Promise<unknown>>();
  /** What restores have created and neither closed nor dropped. */
  readonly #sinks = new Set<SnapshotSink>();
  #stopped: RaftError | null = null;

  constructor(store: SnapshotStore) {
    this.#store = store;
  }

  /** @throws RaftError RAFT_STORE_FAILED, or what `stop` was given; so do the sink's calls */
  async create(meta: Omit<SnapshotMeta, 'id' | 'size'>): Promise<SnapshotSink> {
    const sink = await this.#call('creating a snapshot', () => added(this.#sinks, () => this.#store.create(meta)));
    return {
      id: sink.id,
      get size() {
        return sink.size;
      },
      write: (chunk) => this.#call('writing a snapshot', () => sink.write(chunk)),
      close: async () => {
        const stored = await this.#call('closing a snapshot', () => sink.close());
        this.#sinks.delete(sink);
        return stored;
      },
      cancel: async () => {
        // What is left when the node stops is dropped in `idle`.
        if (this.#stopped === null && this.#sinks.delete(sink))
          await this.#call('dropping a snapshot', () => sink.cancel());
      },
    };
  }

  /** Begins nothing more: every call is rejected with this. */
  stop(error: RaftError): void {
    this.#stopped ??= error;
  }

  /** Resolves when what was under way is done, and what was left half written is dropped; after `stop`. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    const left = [...this.#sinks];
    this.#sinks.clear();
    for (const sink of left)
      await Promise.resolve()
        .then(() => sink.cancel())
        .catch(() => undefined);
  }

  #call<T>(what: string, call: () => MaybePromise<T>): MaybePromise<T> {
    if (this.#stopped !== null) throw this.#stopped;
    const result = storeCall(what, call);
    if (!isPending(result)) return result;
    this.#underWay.add(result);
    const over = (): void => void this.#underWay.delete(result);
    result.then(over, over);
    return result;
  }
}

/** Adds what a call gives to a set, no later than anybody else hears of it. */
function added<T>(set: Set<T>, call: () => MaybePromise<T>): MaybePromise<T> {
  const result = call();
  if (isPending(result)) return result.then((value) => (set.add(value), value));
  set.add(result);
  return result;
}
