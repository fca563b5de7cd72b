import { EventEmitter } from 'eventemitter3';
import type { LogIndex } from '@discovery-raft/raft-core';
import type { StoredRecord } from './record.js';
import type { IgnoredReason } from './state/apply-entry.js';
import type { ListView } from './state/list-view.js';

/** A freeze marker that was applied. */
export interface FrozenList {
  readonly round: number;
  /** Log index of the marker. */
  readonly index: LogIndex;
  /** The list as of that index. */
  readonly view: ListView;
}

/** Facts about the list, told when it has settled, in log order. */
export interface ListEvents {
  /** A record came in; `replaced` holds what it deleted: the original of an update, nothing for a plain insert. */
  inserted: { readonly record: StoredRecord; readonly replaced: readonly StoredRecord[] };
  /** A removal, at `index`, took this record out. Not told of the original of an update. */
  deleted: { readonly record: StoredRecord; readonly index: LogIndex };
  /** A freeze marker was applied. */
  frozen: FrozenList;
  /** An entry had no effect. */
  ignored: { readonly index: LogIndex; readonly reason: IgnoredReason };
  /** The whole list was replaced by a snapshot's. */
  restored: { readonly index: LogIndex; readonly size: number };
}

type Listener<Name extends keyof ListEvents> = (event: ListEvents[Name]) => void;

/** The listeners of a list. One that throws harms neither the others nor the list. */
export class ListEmitter {
  readonly #emitter = new EventEmitter();
  readonly #failed: (name: string, error: unknown) => void;

  /** @param failed told when a listener threw */
  constructor(failed: (name: string, error: unknown) => void) {
    this.#failed = failed;
  }

  on<Name extends keyof ListEvents>(name: Name, listener: Listener<Name>): () => void {
    const guarded = (event: ListEvents[Name]): void => {
      try {
        listener(event);
      } catch (error) {
        this.#failed(name, error);
      }
    };
    this.#emitter.on(name, guarded);
    return () => {
      this.#emitter.off(name, guarded);
    };
  }

  emit<Name extends keyof ListEvents>(name: Name, event: ListEvents[Name]): void {
    this.#emitter.emit(name, event);
  }
}
